"""What one thing costs beside few others, and beside many: the ratio is what counts."""
