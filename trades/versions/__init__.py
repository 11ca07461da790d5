"""What trades and activities share: versions, corrections, voids, histories."""
