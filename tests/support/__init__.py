"""What several test modules use. Test modules import from here and never from each other."""
