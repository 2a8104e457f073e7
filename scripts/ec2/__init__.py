"""What starts the guest on EC2.

    disk      the raw disk: ext2 with the image and the menus of PV-GRUB
    upload    the commands that bring it there
    stand_in  what answers them in the test
"""
