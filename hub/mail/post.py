"""Our letters on their way: composed once, kept, given to the mail server until it has them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import dkim

from hub.actions import correspondence, files, guest_links, notices, posts
from hub.actions.context import Hub
from hub.actions.guest_links import Purpose
from hub.errors import Misconfigured, Refused, Unavailable
from hub.i18n import gettext, reading_in
from hub.mail import notice_letter, offers
from hub.mail.compose import Draft, Enclosed, as_html, build
from hub.mail.mailboxes import Mailbox
from hub.mail.reply_words import OUR_MARKERS
from hub.mail.submit import Submission

if TYPE_CHECKING:
    from hub.storage.correspondences import Correspondence
    from hub.storage.posts import Post

FILES_MAX: Final = 15 * 1024 * 1024  # bytes of files in one letter; the others are named
NULL_SENDER: Final = ""


class PostOffice:
    """Sends what waits."""

    def __init__(
        self,
        hub: Hub,
        mailboxes: tuple[Mailbox, ...],
        submission: Submission,
        env: Mapping[str, str],
    ) -> None:
        self._hub = hub
        self._mailboxes = {one.address: one for one in mailboxes}
        self._submission = submission
        self._env = env

    async def send_due(self) -> int:
        """Try every letter whose time has come; how many were tried."""
        due = await posts.due(self._hub)
        down: set[str] = set()  # mail servers that did not answer just now
        for post in due:
            if post.mailbox in down:
                continue
            if await posts.claim(self._hub, post.id) and await self._one(post):
                down.add(post.mailbox)
        return len(due)

    async def _one(self, post: Post) -> bool:
        """Try one letter; whether its mail server does not answer."""
        mailbox = self._mailboxes.get(post.mailbox)
        try:
            if mailbox is None or mailbox.smtp is None:
                raise Unavailable(
                    "mail_unavailable",
                    "The mail server did not take it: {said}",
                    because="no mailbox of the node sends for this address",
                    said=post.mailbox,
                )
            sender, raw = await self._bytes(post, mailbox)
            await self._submission.submit(mailbox.smtp, sender, post.recipient, raw)
        except Refused as error:
            await posts.failed(self._hub, post.id, error.because or str(error), for_good=True)
            return False
        except (Unavailable, Misconfigured) as error:
            await posts.failed(self._hub, post.id, error.because or str(error), for_good=False)
            return True
        await posts.sent(self._hub, post.id)
        return False

    async def _bytes(self, post: Post, mailbox: Mailbox) -> tuple[str, bytes]:
        """Sender of the envelope and the bytes, the same at every try."""
        if post.sha256 is not None and self._hub.blobs.has(post.sha256):
            digest = post.sha256
            raw = await asyncio.to_thread(lambda: _read(self._hub, digest))
            return post.sender or NULL_SENDER, raw
        raw = await self._compose(post, mailbox)
        kind = posts.ACKNOWLEDGED
        sender = NULL_SENDER if post.kind == kind else self._return_address(post, mailbox)
        digest, _size = await asyncio.to_thread(
            lambda: self._hub.blobs.add(io.BytesIO(raw), max_bytes=len(raw) + 1)
        )
        await posts.composed(self._hub, post, sender, digest)
        return sender, raw

    def _return_address(self, post: Post, mailbox: Mailbox) -> str:
        token = correspondence.return_token(self._hub, post.id)
        return correspondence.with_token(mailbox.address, correspondence.RETURN, token)

    async def _compose(self, post: Post, mailbox: Mailbox) -> bytes:
        if post.kind == posts.NOTICE:
            agent = await notices.addressee(self._hub, str(post.facts["agent"]))
            if agent.email != post.recipient:
                raise Refused("address_changed", "This agent has another address now.")
            told = notice_letter.draft(self._hub, post, agent, mailbox)
            return self._signed(build(told), mailbox)
        if post.kind == posts.PARTNER and post.correspondence_id is None:
            return self._signed(build(self._about_terms(post, mailbox)), mailbox)
        thread = await posts.thread_of(self._hub, post)
        if thread is None:
            raise Refused("not_found", "There is no such letter.")
        enclosed, left_out = await asyncio.to_thread(self._files, post)
        token = correspondence.reply_token(self._hub, thread)
        with reading_in(thread.language):
            marker = f"### {OUR_MARKERS[0 if thread.language == 'ru' else 1]} ###"
            subject = _subject(post, thread.subject)
            if post.kind == posts.PARTNER:
                text, html = self._to_partner(post, thread.language, marker, left_out)
            else:
                pages = _pages(self._hub, post, thread)
                text, html = _to_requester(post, thread.language, marker, left_out, pages)
        draft = Draft(
            sender=mailbox.address,
            sender_name=mailbox.name or self._hub.account.name,
            recipient=post.recipient,
            subject=subject,
            text=text,
            html=html,
            message_id=post.message_id,
            at=post.made_at,
            reply_to=correspondence.with_token(mailbox.address, correspondence.REPLY, token),
            answers=post.facts.get("answers"),
            references=await posts.above(self._hub, post),
            automatic=post.kind == posts.ACKNOWLEDGED,
            mark=correspondence.mark(self._hub),
            hops=int(post.facts.get("hops", 0)) + 1,
            files=enclosed,
        )
        return self._signed(build(draft), mailbox)

    def _to_partner(
        self, post: Post, language: str, marker: str, left_out: list[str]
    ) -> tuple[str, str]:
        """What a partner without a node reads, plain and as a page."""
        letter = offers.worded(post.facts, language, self._hub.account.base_url, self._tokens(post))
        if left_out:
            letter = replace(
                letter,
                lines=[*letter.lines, (gettext("Too large for a letter"), ", ".join(left_out))],
            )
        return offers.plain(letter, marker), offers.page(letter, marker, language)

    def _tokens(self, post: Post) -> dict[str, str]:
        """Those of the links in this letter, by the id of each."""
        return {
            act_id: correspondence.act_token(self._hub, act_id)
            for _act, act_id in post.facts["acts"]
        }

    def _about_terms(self, post: Post, mailbox: Mailbox) -> Draft:
        """What a partner without a node reads about the agreement; it belongs to no ticket."""
        language = str(post.facts["language"])
        with reading_in(language):
            letter = offers.worded(
                post.facts, language, self._hub.account.base_url, self._tokens(post)
            )
            subject = gettext("Terms of working with {company}").format(company=post.facts["from"])
            text = offers.plain(letter, "")
            html = offers.page(letter, "", language)
        return Draft(
            sender=mailbox.address,
            sender_name=mailbox.name or self._hub.account.name,
            recipient=post.recipient,
            subject=f"Re: {subject}" if post.facts.get("answers") else subject,
            text=text,
            html=html,
            message_id=post.message_id,
            at=post.made_at,
            reply_to=mailbox.address,
            answers=post.facts.get("answers"),
            mark=correspondence.mark(self._hub),
            hops=1,
        )

    def _files(self, post: Post) -> tuple[list[Enclosed], list[str]]:
        enclosed, left_out, room = [], [], FILES_MAX
        for name, media_type, digest, size in post.facts.get("files", []):
            if size <= room and self._hub.blobs.has(digest):
                enclosed.append(
                    Enclosed(files.clean_name(name), media_type, _read(self._hub, digest))
                )
                room -= size
            else:
                left_out.append(files.clean_name(name))
        return enclosed, left_out

    def _signed(self, raw: bytes, mailbox: Mailbox) -> bytes:
        if mailbox.dkim is None:
            return raw
        domain = mailbox.address.rpartition("@")[2]
        try:
            signature: bytes = dkim.sign(
                raw,
                mailbox.dkim.selector.encode(),
                domain.encode(),
                mailbox.dkim.key.read(self._env).encode(),
                canonicalize=(b"relaxed", b"relaxed"),
            )
        except (dkim.DKIMException, ValueError) as error:
            raise Misconfigured(
                "dkim_key_invalid",
                "The DKIM key of {mailbox} cannot be used.",
                because=str(error),
                mailbox=mailbox.address,
            ) from error
        return signature + raw


def _read(hub: Hub, digest: str) -> bytes:
    with hub.blobs.open(digest) as source:
        return source.read()


def _as_text(paragraphs: list[str], marker: str, footer: str) -> str:
    if not marker:
        return "\n\n".join([*paragraphs, *([footer] if footer else [])]) + "\n"
    return "\n\n".join([marker, *paragraphs, f"-- \n{footer}"]) + "\n"


def _subject(post: Post, subject: str) -> str:
    number = post.facts.get("number", "")
    if post.kind == posts.ACKNOWLEDGED or not subject:
        return gettext("Ticket {number}").format(number=number)
    if post.kind == posts.PARTNER:
        whole = gettext("Ticket {number}: {title}").format(number=number, title=subject)
        return f"Re: {whole}" if post.facts.get("answers") else whole
    return subject if subject.lower().startswith("re:") else f"Re: {subject}"


def _to_requester(
    post: Post, language: str, marker: str, left_out: list[str], pages: list[str]
) -> tuple[str, str]:
    """What a requester reads, plain and as a page."""
    paragraphs, footer = _words(post, left_out)
    footer = "\n".join([footer, *pages])
    if "desk" in post.facts:  # all of it becomes a comment there: only what was said
        marker, footer = "", str(post.facts.get("last_line", ""))
    text = _as_text(paragraphs, marker, footer)
    return text, as_html(paragraphs, marker, footer, language)


def _pages(hub: Hub, post: Post, thread: Correspondence) -> list[str]:
    """Lines with the addresses of the reader's own pages."""
    texts = {Purpose.FOLLOW: gettext("Follow the ticket:"), Purpose.RATE: gettext("Rate our work:")}
    return [
        f"{text} {hub.account.base_url}/g/{guest_links.of_letters(hub, thread, purpose)}"
        for purpose, text in texts.items()
        if purpose in post.facts.get("pages", [])
    ]


def _words(post: Post, left_out: list[str]) -> tuple[list[str], str]:
    """The paragraphs and what stands under them, in the reader's language."""
    number = post.facts.get("number", "")
    footer = gettext("Ticket {number}. Reply to this letter to answer.").format(number=number)
    if post.kind == posts.ACKNOWLEDGED:
        received = gettext("We have received your letter. It is ticket {number} now.")
        return [
            received.format(number=number),
            gettext("To add something, reply to this letter."),
        ], footer
    paragraphs = [str(post.facts["body"]), str(post.facts["author"])]
    if left_out:
        paragraphs.append(
            gettext("Files that are too large for a letter: {names}").format(
                names=", ".join(left_out)
            )
        )
    return paragraphs, footer
