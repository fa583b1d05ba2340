# SPDX-License-Identifier: Apache-2.0
"""What goes over wires: signalling, the control socket, credentials, codes and enums. No I/O."""
