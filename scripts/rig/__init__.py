"""The Xen rig: a whole Xen host in emulation, the guests that run in it, and what is asked of them.

    suite        the Debian release that carries a Xen, and its packages
    archive      writing the cpio archive that a kernel unpacks as its first root
    dom0         the files that boot a Xen host; init, agent and block run inside it
    accelerator  whether hardware virtualisation boots Xen here
    machine      the emulated host: QEMU, and commands in dom0
    domain       a guest in it
    pygrub       what dom0's own boot loader finds on a disk
    peer         a Linux guest that serves files, to try the rig and to measure against
    visit, here  make run: in the emulated host, or on a machine that is a Xen dom0
    interrupt    ending on Ctrl-C
    segment      an Ethernet segment in a network namespace, with DHCP
    tapped       the server on a tap of that namespace, in the guest's place
    relay        a client behind a link that loses packets
    hostile      attacks on either, and the honest client beside them
    capture      what crossed it
    counted      the counters of the sources, with what is in them
    checks       named checks and their tally
    boot         what the guest must do, in groups of checks
"""
