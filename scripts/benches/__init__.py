"""Measurements on the tap, side by side with peers."""
