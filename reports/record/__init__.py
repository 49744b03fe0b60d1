"""What is captured while a run goes on."""
