"""What tests of Crony, and of what is built upon it, are made with."""
