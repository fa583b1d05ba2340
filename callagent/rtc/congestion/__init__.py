# SPDX-License-Identifier: GPL-3.0-or-later
"""How much the way to a peer carries: transport-wide feedback, delay- and loss-based control.

Everything here is pure: time comes in as monotonic seconds, nothing touches a
socket or a loop. `callagent.rtc.transport_cc` plugs it into a connection.
"""
