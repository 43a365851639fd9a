"""What a run will take: tokens, memory, disk, hours."""
