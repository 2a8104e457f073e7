"""What starts the guest on EC2.

    disk      the raw disk: ext2 with the image and the menus of PV-GRUB
"""
