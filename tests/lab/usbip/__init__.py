# SPDX-License-Identifier: GPL-3.0-or-later
"""USB devices made of software, for the guest's real drivers: a camera, a speakerphone, a push button.

They live in the testing process, which is not slowed down by emulation; the guest's virtual USB host
controller (vhci_hcd) is handed a TCP connection to here and takes it for a cable.
"""
