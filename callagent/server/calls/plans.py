# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the media of a call runs, and what each member is told of it. Pure."""

from callagent.protocol.enums import Placement
from callagent.protocol.events import MediaPeer, OnMediaPlan
from callagent.server.calls.model import Call, Member, MemberStatus


def placement_for(call: Call, *, media_server: bool) -> Placement:
    """`media_server`: there is one that takes this call, or has it already."""
    connected = call.with_status(MemberStatus.CONNECTED)
    if len(connected) <= 2:
        return Placement.P2P
    if media_server and all(member.sfu for member in connected):
        return Placement.SFU
    return Placement.MESH


def plan_of(call: Call, member: Member) -> OnMediaPlan:
    """Of the call's present epoch, for one connected member."""
    # The links to a media server are told as they are made, by whoever makes them.
    peers = [] if call.placement is Placement.SFU else call.with_status(MemberStatus.CONNECTED)
    return OnMediaPlan(
        call_id=call.call_id,
        epoch=call.epoch,
        placement=call.placement,
        peers=[
            MediaPeer(user_id=peer.user_id, session_id=peer.session_id)
            for peer in peers
            if peer.user_id != member.user_id and peer.session_id is not None
        ],
    )
