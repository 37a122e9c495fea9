"""``ccp fleet image``: what deployments are made of. Built once, shared by all."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ccp_tui.cli.context import Context
from ccp_tui.cli.fleet_base import Json, on_fleet, size
from ccp_tui.cli.output import local_time, table
from ccp_tui.cli.parser import Nouns, nouns_of, verb
from ccp_tui.text import clean, one_line

if TYPE_CHECKING:
    from ccp_tui.incus import Image


def add_options(nouns: Nouns) -> None:
    parser = verb(nouns, "image", "Images: build, list, prune.", _list)
    parser.add_argument("--remote", default="", help="Incus remote; this machine by default")
    images = nouns_of(parser)
    build = verb(images, "build", "Build the image; takes some minutes and the network.", _build)
    how = build.add_mutually_exclusive_group()
    how.add_argument(
        "--base", default="", metavar="IMAGE", help="on this Debian image, like images:debian/13"
    )
    how.add_argument(
        "--bootstrap", action="store_true", help="from Debian packages alone, without an image server"
    )
    build.add_argument("--progress", action="store_true", help="what is being done, line by line")
    build.add_argument("--force", action="store_true", help="even if the same is there already")
    verb(images, "list", "The images here, and who uses them.", _list)
    verb(images, "prune", "Delete images that nothing uses; the newest stays.", _prune)


def _build(context: Context, args: argparse.Namespace) -> None:
    def told(line: str) -> None:
        if args.progress:
            context.note(f"  {clean(line).rstrip()}")

    if not args.progress and not context.json:
        context.note("Building the image; this takes some minutes (--progress shows what is done)…")
    built = on_fleet(
        lambda fleet: fleet.build_image(args.base, args.bootstrap, told, args.remote, force=args.force)
    )
    context.emit(_json(built), f"{one_line(built.alias)} is there.")


def _list(context: Context, args: argparse.Namespace) -> None:
    images = on_fleet(lambda fleet: fleet.images(args.remote))
    context.emit(
        [_json(each) for each in images],
        lambda: _table(images) if images else "No image yet: ccp fleet image build",
    )


def _prune(context: Context, args: argparse.Namespace) -> None:
    gone = on_fleet(lambda fleet: fleet.prune_images(args.remote))
    words = (
        "\n".join(f"{one_line(each)}: deleted" for each in gone)
        or "Nothing to delete: all images are in use."
    )
    context.emit({"deleted": list(gone)}, words)


def _json(one: Image) -> Json:
    return {
        "remote": one.remote, "alias": one.alias, "fingerprint": one.fingerprint, "version": one.version,
        "openclaw": one.openclaw, "created_at": one.created_at, "size": one.size, "used_by": list(one.used_by),
        "latest": one.latest, "base": one.base,
    }  # fmt: skip


def _table(images: tuple[Image, ...]) -> str:
    rows = [
        (
            _name(each),
            each.version,
            each.openclaw,
            size(each.size),
            local_time(each.created_at),
            len(each.used_by) or "",
        )
        for each in images
    ]
    return table(("IMAGE", "CCP", "OPENCLAW", "SIZE", "BUILT", "USED BY"), rows, flexible=0)


def _name(one: Image) -> str:
    name = one_line(one.alias) or one.fingerprint[:12]
    return name + (" (base)" if one.base else " (newest)" if one.latest else "")
