"""What staff see of the exports and their queue, and what they may do about it."""
