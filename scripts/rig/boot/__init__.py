"""What the guest must do under a real Xen, in groups of checks; scripts/boot-test calls them."""
