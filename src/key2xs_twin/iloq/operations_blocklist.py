"""Operations on the block list and on key tags."""

from __future__ import annotations

from typing import Any

from key2xs_twin.iloq import blocklist, keys as key_life, render
from key2xs_twin.iloq.errors import invalid
from key2xs_twin.iloq.operations_keys import key_of
from key2xs_twin.iloq.routes import NO_BODY, Call, Right, route
from key2xs_twin.iloq.shapes import TagBody, decode
from key2xs_twin.iloq.state import KeyTag


@route("GET", "Blacklists", Right.BLOCKLIST_VIEW)
def get_blocklist(call: Call) -> Any:
    """The planned list and its packet. ASSUMPTION: packet states are the programming states."""
    state = call.server.state
    return {
        "BlacklistItems": [
            render.block_item(state, record)
            for record in sorted(state.blocks.planned.values(), key=lambda item: str(item.key_id))
        ],
        "BlacklistPacket": {
            "BlacklistPacket_ID": str(call.server.account.lock_group_id),
            "SoftDataVersion": state.blocks.packet.version,
            "HardDataVersion": state.blocks.packet.version,
            "State": 0 if state.blocks.changed else 1,
        },
        "OutsideUserZoneKeyCount": 0,
    }


@route("GET", "Blacklists/CanAddKey/*", Right.BLOCKLIST_VIEW)
def can_block(call: Call) -> Any:
    """False if listed already or without any right."""
    return blocklist.can_add(call.server.state, key_of(call))


@route("POST", "Blacklists/AddKey/*", Right.BLOCKLIST_EDIT)
def block(call: Call) -> Any:
    """Plan to block a key."""
    record = key_of(call)
    blocklist.add(call.server.state, record, call.server.time.now)
    call.server.webhooks.tell("key_blocklisted", {"FNKey_ID": str(record.key_id), "Stamp": record.stamp})
    return NO_BODY


@route("GET", "Blacklists/CanRemoveKey/*", Right.BLOCKLIST_VIEW)
def can_unblock(call: Call) -> Any:
    """True if the key is listed."""
    return call.server.state.blocks.is_blocked(key_of(call).key_id)


@route("DELETE", "Blacklists/RemoveKey/*", Right.BLOCKLIST_EDIT)
def unblock(call: Call) -> Any:
    """Plan to unblock a key."""
    blocklist.remove(call.server.state, key_of(call), call.server.time.now)
    return NO_BODY


@route("GET", "Blacklists/CanOrderS40Blacklist", Right.BLOCKLIST_VIEW)
def can_order_blocklist(call: Call) -> Any:
    """0 is ok here."""
    return blocklist.can_order(call.server.state, call.server.settings)


@route("POST", "Blacklists/OrderS40Blacklist", Right.BLOCKLIST_EDIT)
def order_blocklist(call: Call) -> Any:
    """Publish the list; from here it spreads from device to device."""
    blocklist.order(call.server.state, call.server.settings)
    call.server.tell_blocklist()
    return NO_BODY


@route("GET", "Keys/*/KeyTags", Right.KEYS_LIST)
def tags_of_key(call: Call) -> Any:
    """Tags of one key."""
    tags = call.server.state.tags_of_key.get(key_of(call).key_id, {})
    return [render.tag(tag) for tag in tags.values()]


@route("GET", "KeyTags", Right.KEYS_LIST)
def list_tags(call: Call) -> Any:
    """All tags."""
    return [render.tag(tag) for tag in call.server.state.tags.values()]


@route("GET", "KeyTags/*", Right.KEYS_LIST)
def get_tag(call: Call) -> Any:
    """One tag."""
    tag = call.server.state.tags.get(call.ids[0])
    if tag is None:
        raise invalid(call.ids[0], "tag id")
    return render.tag(tag)


@route("POST", "KeyTags", Right.KEYS_EDIT)
def insert_tag(call: Call) -> Any:
    """A new tag; the caller chooses its id."""
    tag = _read_tag(call)
    if tag.tag_id in call.server.state.tags:
        raise invalid(tag.tag_id, "Tag_ID")
    call.server.state.put_tag(tag)
    return NO_BODY


@route("PUT", "KeyTags", Right.KEYS_EDIT)
def update_tag(call: Call) -> Any:
    """Change a tag."""
    tag = _read_tag(call)
    if tag.tag_id not in call.server.state.tags:
        raise invalid(tag.tag_id, "Tag_ID")
    call.server.state.put_tag(tag)
    return NO_BODY


@route("DELETE", "KeyTags/*", Right.KEYS_EDIT)
def delete_tag(call: Call) -> Any:
    """Remove a tag."""
    if not call.server.state.drop_tag(call.ids[0]):
        raise invalid(call.ids[0], "tag id")
    return NO_BODY


def _read_tag(call: Call) -> KeyTag:
    body: TagBody = decode(call.request.body, TagBody)
    key_life.find_key(call.server.state, body.fnkey_id)
    return KeyTag(
        tag_id=body.tag_id,
        key_id=body.fnkey_id,
        key=body.key,
        value=body.value,
        save_to_audit=body.save_to_key_audit_trail,
    )
