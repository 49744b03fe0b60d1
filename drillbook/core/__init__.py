"""What all other packages may import; it imports none of them."""
