"""What lasts and what goes with the server: volumes, their space, and the files that would be lost."""
