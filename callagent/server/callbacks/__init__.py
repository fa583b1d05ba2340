# SPDX-License-Identifier: GPL-3.0-or-later
"""Callbacks: what happens to calls, told to the app's back end over HTTP (callkit-server 6).

What is to be told is stored in the transaction that makes it so, and stays until the back end has taken it.
"""
