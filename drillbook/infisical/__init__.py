"""Facts of the product: its tables and columns, and how it seals values."""
