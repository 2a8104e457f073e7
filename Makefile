# What can be done here. The work itself is in scripts/.
# SITE=, MEMORY= and the like go along to it; relative paths start where make was called.

here := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
# With -C, PWD still says where make was called; without, it may be older than the folder we are in.
moved := $(shell tr '\0' '\n' </proc/$$PPID/cmdline | grep -E '^(-[a-zA-Z]*C|--directory)')
export HALFPAGE_CALLER := $(or $(if $(moved),$(PWD)),$(CURDIR))
export SITE XEN PORT MEMORY EXTRA PARTITIONED TLS TLS_CERT TLS_KEY

.PHONY: help run test test-full image ec2-image release tar metrics tap dev-cert mutants bench bench-xen bench-tap bench-tls fuzz soak site-check
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(here)/Makefile | expand -t 12
	@sed -n 's/^#= //p' $(here)/Makefile

# Without a certificate of one's own, run takes a local one. It is the image that needs it: a rule's own prerequisites come before
# those that are added.
ifneq ($(and $(TLS),$(filter run,$(MAKECMDGOALS))),)
ifeq ($(TLS_CERT),)
image: dev-cert
TLS_CERT := $(here)/build/dev-cert/cert.pem
TLS_KEY := $(here)/build/dev-cert/key.pem
endif
endif

run: image ## boot the guest under Xen, print its console and its URL; Ctrl-C ends it
	@$(here)/scripts/need python3 && exec $(here)/scripts/run

image: site-check ## build/halfpage, its .gz and .debug, and build/xen.cfg for xl
	@$(here)/scripts/image

ec2-image: image ## build/halfpage-ec2.img: a raw disk for EC2's PV-GRUB; scripts/ec2-upload brings it there
	@$(here)/scripts/need python3 && exec $(here)/scripts/ec2-image

release: ## build/release/: images with and without HTTPS, the disk for EC2, files for dom0, bill of materials, checksums
	@$(here)/scripts/release

dev-cert: ## build/dev-cert: a certificate for localhost, to try HTTPS with, unless it is there and good for a week
	@$(here)/scripts/dev-cert

tar: site-check ## build/site.tar, a ramdisk of SITE, and build/site-pack, by which scripts/publish makes such tars
	@$(here)/scripts/tar

metrics: ## build/metrics/: metrics (counters for Prometheus) and top, for dom0
	@$(here)/scripts/need python3 git && exec $(here)/scripts/metrics-build

tap: site-check ## build/halfpage-tap: the same server on a Linux tap
	@$(here)/scripts/tap

test: ## all checks: formatting, lints, host tests, the image, the guest on Xen 4.17
	@$(here)/scripts/test

fuzz: ## fuzz targets, N executions of each or SECONDS, e.g. N=100000 SECONDS=60
	@$(here)/scripts/rust-check && $(here)/scripts/fuzz $(if $(N),-n $(N)) $(if $(SECONDS),-t $(SECONDS))

# An error of make itself, so that it is the only line.
site-check:
	@$(if $(SITE),$(if $(complaint),$(error $(complaint))))
complaint = $(shell cd '$(HALFPAGE_CALLER)' && $(here)/scripts/site-check '$(subst ','\'',$(SITE))' 2>&1)

test-full: ## test, the guest on Xen 4.14 and 4.20 and with 4 GiB and saved ten times, attacks and losses at length, the boot time
	@$(here)/scripts/test full

soak: ## 10 GB to two clients, one behind a lossy link, then 100,000 connections; SOAK="--gigabytes 1" for less
	@$(here)/scripts/need python3 cc objcopy qemu-system-x86_64 dpkg-deb ip nft dnsmasq && exec $(here)/scripts/soak $(SOAK)

mutants: ## undo fixes, break rules, and have cargo-mutants break the rest: the tests must notice each (hours; MINUTES=n)
	@$(here)/scripts/undone && $(here)/scripts/mutants && $(here)/scripts/survivors $(if $(MINUTES),--minutes $(MINUTES))

bench: $(if $(ON),bench-$(ON),bench-xen bench-tap bench-tls) ## the figures: beside Linux with nginx on Xen, beside nginx and smoltcp on the tap, beside OpenSSL

bench-xen: image ## beside Linux with nginx on the same Xen, in counted instructions: boots, CPU per request, memory, idling, large sites
	@$(here)/scripts/boot-time
	@$(here)/scripts/site-scale --parts lookup boot
	@$(here)/scripts/xen-bench $(BENCH)

bench-tap: ## requests/s and CPU per request on the tap beside nginx and smoltcp; packets in counted instructions
	@$(here)/scripts/packet-cost
	@$(here)/scripts/tap && $(here)/scripts/site-scale --parts tap
	@$(here)/scripts/bench $(BENCH)

bench-tls: ## handshakes, records, memory of HTTPS beside nginx with OpenSSL, in memory and on the tap; the guest in counted instructions
	@$(here)/scripts/tls-bench --on memory tap xen $(BENCH)

#=
#= SITE=dir            the site to embed (default: site/content)
#= TLS=1               image, run, tap: with HTTPS; run makes a certificate for localhost where none is given
#= TLS_CERT= TLS_KEY=  a certificate chain and its key, PEM files, to be in the image
#= XEN=4.14|4.17|4.20  the Xen that run boots (default: 4.17)
#= PORT=n MEMORY=mib   run: the local port (default: a free one), the guest's memory (default: 8)
#= PARTITIONED=1       ec2-image: with a partition table, for hd0,0
#= ON=xen|tap|tls      bench: only the figures from there
#= BENCH=words         bench: options of its scripts, e.g. ON=tap BENCH="--rounds 9 --seconds 5"; BENCH=--help lists them
#= MINUTES=n           mutants: so long for cargo-mutants; the next run goes on where it stopped
#= EXTRA=words         run, ec2-image: the guest's command line, e.g. EXTRA="log=debug"
