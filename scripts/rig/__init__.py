"""The Xen rig: a whole Xen host in emulation, and the guests that run in it.

    suite      the Debian release that carries a Xen, and its packages
    archive    writing cpio archives
    dom0       the initramfs of dom0
    accelerator  whether hardware virtualisation boots Xen here
    machine    the emulated host
    domain     a guest in it
"""
