"""Which test shows which family of attacks: A, B, C, D, E, X, as the list of advisories names them.

A test is named as `file::function` under tests/. `asked` is the least number of inputs;
tests/attacks/test_coverage.py counts what pytest collects and what the tests' own tables hold;
`python -m tools.attack_docs` writes docs/reference/attacks.md from this table.
A part that is not here belongs to what nodes do not have: it names the part of the product.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """One line of the list."""

    what: str
    asked: int  # inputs
    shown: tuple[str, ...] = ()
    elsewhere: str = ""  # what of it, or all of it, is no matter of nodes, and why


_DOOR = "federation/test_door.py::test_"
_DELIVERY = "federation/test_delivery.py::test_"
_CLIENT = "federation/test_client.py::test_"
_GUARD = "federation/test_guard.py::test_"
_HANDSHAKE = "federation/test_handshake.py::test_"
_SPEAKS = "attacks/test_who_speaks.py::test_"
_OWN = "attacks/test_whose_it_is.py::test_"
_NAMES = "attacks/test_names.py::test_"
_POISON = "attacks/test_poison.py::test_"
_EXHAUST = "attacks/test_exhaustion.py::test_"
_REQUESTS = "attacks/test_server_side_requests.py::test_"
_TALK = "mail/test_conversations.py::test_"
_SEND = "mail/test_sending.py::test_"
_READ = "mail/test_reading.py::test_"
_HOLES = "mail/test_python_holes.py::test_"
_MAIL = "mail/test_attacks_by_letter.py::test_"
_MAIL_DOOR = "mail/test_doors_and_commands.py::test_"
_SYNC = "attacks/test_sync_incidents.py::test_"
_WEB = "console/test_attacks.py::test_"
_SIGN_IN = "console/test_sign_in.py::test_"
_WAYS_IN = "cli/test_ways_in.py::test_"
_SMUGGLED = "cli/test_smuggling.py::test_"
_FIELDS = "console/test_every_text_field.py::test_"
_BROWSER = "console/test_safety_in_a_browser.py::test_"

FAMILIES: dict[str, Family] = {
    "A1": Family(
        "every route, unsigned or signed by another; and what is pulled",
        4 * 9,
        (
            f"{_DOOR}every_route_of_the_door_is_classified_here",
            f"{_DOOR}a_call_nobody_we_know_has_signed_is_401_on_every_route_and_nothing_remains",
            f"{_DOOR}a_body_swapped_after_signing_is_refused",
            f"{_DOOR}a_body_swapped_together_with_its_digest_is_refused",
            f"{_DELIVERY}what_is_not_authentic_is_refused_at_the_door_with_a_receipt_for_what_came_before",
            f"{_DELIVERY}an_answer_that_proves_nothing_changes_nothing_and_the_message_is_tried_again",
            f"{_SPEAKS}a_file_that_b_did_not_sign_for_or_that_is_another_never_appears",
        ),
    ),
    "A2": Family(
        "a signature that does not prove the whole call",
        16,
        (f"{_SPEAKS}a_call_whose_signature_does_not_prove_all_of_it_is_refused",),
    ),
    "A3": Family(
        "the same signed bytes read two ways",
        12,
        (
            f"{_SPEAKS}an_envelope_that_can_be_read_in_two_ways_is_refused_though_b_signed_it",
            f"{_SPEAKS}a_body_that_can_be_read_in_two_ways_is_refused_though_b_signed_it",
        ),
    ),
    "A4": Family(
        "each verb on each thing of the link of others",
        20,
        (
            f"{_OWN}a_hand_off_of_others_is_the_same_as_none_to_every_message",
            f"{_OWN}a_thing_of_others_is_the_same_as_none_along_a_hand_off_of_bs_own",
        ),
    ),
    "A5": Family(
        "the right paper for the wrong ticket",
        5,
        (
            f"{_OWN}a_paper_for_one_link_is_none_for_another",
            f"{_OWN}an_answer_to_a_request_about_another_ticket_answers_nothing",
        ),
    ),
    "A6": Family(
        "editing what the other side wrote", 4, (f"{_OWN}b_changes_nothing_that_a_wrote",)
    ),
    "A7": Family(
        "a ticket here without an agreement, or an answer in our name",
        4,
        (
            f"{_HANDSHAKE}messages_before_the_agreement_is_signed_are_not_taken",
            f"{_DELIVERY}an_offer_refused_by_a_rule_is_declined_not_rejected",
            f"{_DELIVERY}a_link_suspended_by_us_takes_control_messages_only",
            f"{_DELIVERY}after_both_closed_everything_new_is_410_and_copies_keep_their_receipt",
            f"{_DELIVERY}a_poison_message_is_answered_by_exactly_one_rejection_and_the_stream_goes_on",
            (
                "journeys/test_disclosure.py::"
                "test_a_link_for_one_direction_carries_nothing_the_other_way"
            ),
            f"{_OWN}a_contractor_does_not_consent_for_its_principal",
            f"{_OWN}a_principal_answers_the_question_it_was_asked_and_no_other",
        ),
    ),
    "A8": Family(
        "receipts and ratings that are not the sender's, or no ratings",
        10,
        (
            f"{_OWN}no_bad_rating_replaces_a_good_one",
            f"{_DELIVERY}an_old_revision_of_a_rating_is_rejected",
            f"{_DELIVERY}a_poison_message_is_answered_by_exactly_one_rejection_and_the_stream_goes_on",
            f"{_DELIVERY}an_answer_that_proves_nothing_changes_nothing_and_the_message_is_tried_again",
        ),
    ),
    "A9": Family(
        "refused once, and sent again by every way",
        4,
        (
            f"{_OWN}what_was_refused_once_is_refused_by_every_way",
            f"{_OWN}a_poison_message_stays_refused_when_it_comes_again",
            f"{_DELIVERY}a_message_refused_once_stays_refused_in_a_batch_and_after_a_restart",
        ),
    ),
    "A10": Family(
        "a partner we left, through a good one",
        3,
        (f"{_OWN}what_a_partner_we_left_says_does_not_come_back_through_a_good_one",),
        elsewhere="What a middle company writes in its own name after talking to others is its "
        "own word: it is signed by it and shown as its own.",
    ),
    "A11": Family(
        "asking for what one may not see",
        15,
        (
            f"{_OWN}what_is_not_ones_own_cannot_be_told_from_nothing",
            f"{_OWN}a_file_of_others_on_ones_own_link_cannot_be_told_from_nothing",
            f"{_OWN}after_parting_not_a_byte_more_of_the_ticket_is_sent",
            f"{_OWN}what_was_taken_back_is_gone_for_the_partner_too",
            f"{_DOOR}an_unknown_link_and_the_link_of_others_look_the_same",
        ),
    ),
    "A12": Family(
        "two spellings of one address",
        12,
        (
            f"{_NAMES}another_spelling_of_an_address_is_no_address_of_a_node",
            f"{_NAMES}whoever_calls_itself_like_a_partner_is_shown_to_people",
        ),
    ),
    "A13": Family(
        "a document of another type, from another place",
        6,
        (
            f"{_NAMES}a_discovery_document_of_another_type_or_place_is_not_believed",
            f"{_NAMES}a_file_that_looks_like_our_document_is_served_as_a_file",
            f"{_HANDSHAKE}a_discovery_document_that_proves_nothing_is_refused",
        ),
    ),
    "A14": Family(
        "secrets that can be guessed",
        6,
        (
            f"{_NAMES}nothing_secret_is_made_with_a_generator_that_can_be_guessed",
            "storage/test_keystore.py::test_a_sample_key_is_refused",
            "storage/test_keystore.py::test_a_broken_generator_makes_no_keys",
            "storage/test_keystore.py::test_a_file_that_others_may_touch_is_refused",
            "storage/test_keystore.py::test_missing_keys_are_told",
            "storage/test_keystore.py::test_the_three_keys_differ_and_two_nodes_share_nothing",
            "protocol/test_keys.py::test_two_nodes_from_one_image_get_different_keys",
        ),
    ),
    "A15": Family(
        "signatures only a careless verifier believes",
        163,
        (
            "protocol/test_keys.py::test_every_wycheproof_vector_gets_the_expected_verdict",
            (
                "protocol/test_keys.py::"
                "test_a_key_that_is_not_a_canonical_point_of_prime_order_cannot_be_made"
            ),
            f"{_SPEAKS}a_signature_only_a_careless_verifier_believes_is_refused",
            f"{_SPEAKS}a_key_of_small_order_gets_no_link",
        ),
    ),
    "A16": Family(
        "two signatures, or one over a part",
        4,
        (
            f"{_SPEAKS}a_call_whose_signature_does_not_prove_all_of_it_is_refused",
            (
                "protocol/test_http_signatures.py::"
                "test_the_first_of_two_signatures_does_not_cover_for_the_second"
            ),
        ),
    ),
    "A17": Family(
        "a key that changed without being announced",
        6,
        (
            f"{_HANDSHAKE}another_node_at_the_partners_address_gets_nothing_and_changes_nothing",
            f"{_HANDSHAKE}another_identity_at_a_known_address_is_an_alarm_never_an_update",
            f"{_DELIVERY}what_is_not_authentic_is_refused_at_the_door_with_a_receipt_for_what_came_before",
        ),
    ),
    "B1": Family(
        "JSON that is none",
        188 + 35 + 8,
        (
            f"{_POISON}no_json_of_the_test_suite_that_is_none_gets_past_the_door",
            f"{_POISON}json_that_is_some_but_no_batch_is_refused",
            f"{_POISON}a_hostile_value_is_refused_in_the_body_and_rejected_in_a_payload",
            "protocol/test_strict_json.py::test_valid_json_is_accepted_unless_we_say_why_not",
            f"{_DELIVERY}a_payload_nobody_can_read_is_stored_and_rejected",
        ),
    ),
    "B2": Family(
        "a message or a peer that fails for ever",
        8,
        (
            f"{_EXHAUST}a_peer_that_takes_nothing_delays_nobody_else_and_comes_before_people",
            f"{_DELIVERY}a_message_our_side_fails_at_is_tried_a_bounded_number_of_times_and_parked_whole",
            f"{_DELIVERY}poison_after_poison_in_one_batch_is_rejected_one_by_one",
        ),
    ),
    "B3": Family(
        "a page of nothing but what was refused",
        1,
        (f"{_POISON}a_history_of_nothing_but_refused_messages_is_read_to_its_end",),
    ),
    "B4": Family(
        "circles, depths, crowds",
        6,
        (
            f"{_POISON}a_chain_that_comes_back_or_is_too_long_is_declined_at_once",
            f"{_POISON}words_made_to_be_slow_are_kept_as_words",
            f"{_POISON}a_comment_that_answers_itself_makes_no_circle",
            f"{_POISON}hops_below_that_stand_above_each_other_are_drawn_without_end",
            "journeys/test_loops.py::test_work_that_comes_back_to_its_first_company_is_declined",
        ),
    ),
    "B5": Family(
        "answers made to exhaust the asker",
        8,
        (
            f"{_CLIENT}an_endless_body_is_cut",
            f"{_CLIENT}a_body_announced_too_long_is_not_read",
            f"{_CLIENT}a_coded_answer_is_refused_unread",
            f"{_CLIENT}a_peer_that_drips_is_given_up_at_the_deadline",
            f"{_CLIENT}a_peer_that_only_promises_is_given_up_at_the_deadline",
            f"{_CLIENT}a_redirect_is_an_answer_like_any_other",
            f"{_CLIENT}a_tls_handshake_that_stalls_is_given_up",
            f"{_CLIENT}a_stalling_peer_does_not_hold_up_another",
        ),
    ),
    "B6": Family(
        "bodies made to exhaust the door",
        8,
        (f"{_EXHAUST}a_body_made_to_exhaust_is_refused_within_bounds",),
    ),
    "B7": Family(
        "ten thousand strangers who want to become partners",
        500,
        (f"{_NAMES}five_hundred_subdomains_of_one_attacker_leave_nothing",),
        elsewhere="There is no asking without an invitation made by people, so no quota of "
        "strangers is needed for rows; calls of strangers are limited by the limits of the door.",
    ),
    "B8": Family(
        "every text too long, every list too full",
        150,
        (
            f"{_POISON}every_text_of_a_million_and_every_list_of_a_hundred_thousand_stops_at_the_door",
            f"{_POISON}every_text_and_list_beyond_its_schema_is_rejected_by_its_name",
        ),
    ),
    "B9": Family(
        "mail made to be slow",
        10,
        (
            f"{_READ}a_letter_built_to_take_long_takes_no_time",
            f"{_READ}a_letter_built_to_break_readers_is_unreadable_in_no_time",
            f"{_READ}html_nested_ten_thousand_deep_is_still_text",
            f"{_READ}five_thousand_recipients_are_read_up_to_a_bound",
        ),
    ),
    "B10": Family(
        "files that are not what they say",
        6,
        (
            f"{_NAMES}a_hostile_file_is_given_back_as_it_came_and_never_looked_into",
            f"{_NAMES}nothing_in_the_nodes_process_decodes_a_file",
            "console/test_thumbnails.py::test_of_what_is_no_photo_only_a_drawing_of_ours_is_shown",
        ),
    ),
    "B11": Family(
        "names and digests that are paths",
        12,
        (
            f"{_NAMES}a_name_of_a_file_is_a_label_and_never_a_path",
            f"{_NAMES}a_name_that_is_none_or_too_long_is_refused",
            f"{_NAMES}only_a_digest_is_asked_of_the_store",
            "api/test_files.py::test_a_hostile_name_does_no_harm",
        ),
    ),
    "B12": Family(
        "two hundred at one ticket",
        200,
        (f"{_EXHAUST}two_hundred_at_one_ticket_do_not_hold_up_the_others",),
    ),
    "C": Family(
        "addresses of the inside",
        300,
        (
            f"{_GUARD}a_special_address_in_a_url_is_refused",
            f"{_GUARD}a_cunning_spelling_is_refused_before_anybody_is_asked",
            f"{_GUARD}a_name_that_resolves_to_a_special_address_is_refused",
            f"{_GUARD}a_redirect_to_a_special_address_is_not_followed",
            f"{_GUARD}a_name_that_changes_its_address_between_look_ups_is_refused",
            f"{_GUARD}open_and_closed_ports_of_the_inside_look_the_same",
            f"{_GUARD}what_an_operator_lists_may_be_private_and_nothing_worse",
            f"{_REQUESTS}an_invitation_takes_this_node_to_no_address_of_the_inside",
            f"{_REQUESTS}a_partner_at_an_address_of_the_inside_is_never_called",
            "api/test_webhooks.py::test_a_real_program_is_called_and_an_address_inside_is_not",
        ),
        elsewhere="Pictures and issuers of sign-in are asked of nobody. Desks and webhooks are "
        "called through the same transport; mail servers are named by the operator in a file.",
    ),
    "D1": Family(
        "a letter in the requester's name that nothing proves",
        4,
        (
            f"{_TALK}a_letter_in_the_requesters_name_that_nothing_proves_is_held",
            f"{_TALK}verdicts_that_others_wrote_into_a_letter_are_their_words",
        ),
    ),
    "D2": Family(
        "reply addresses guessed, ended, or another's",
        5,
        (
            f"{_MAIL}a_reply_address_opens_one_ticket_for_one_person_and_nothing_else",
            f"{_TALK}a_token_that_never_was_or_is_no_more_opens_nothing",
        ),
    ),
    "D3": Family(
        "a third party's letter to a ticket",
        1,
        (f"{_MAIL}a_letter_of_a_third_party_to_a_ticket_is_seen_by_nobody_outside",),
    ),
    "D4": Family(
        "forged references",
        8,
        (f"{_MAIL}a_forged_reference_gives_no_power",),
        "nobody acts as an agent by letter: there is no such power to take",
    ),
    "D5": Family(
        "a new address in a valid thread",
        1,
        (f"{_TALK}another_person_with_the_reply_address_is_heard_and_replaces_nobody",),
    ),
    "D6": Family(
        "many letters that name one victim",
        40,
        (
            f"{_MAIL}many_letters_in_one_victims_name_bring_the_victim_one_letter",
            f"{_TALK}at_most_one_acknowledgement_a_day_goes_to_an_address",
        ),
    ),
    "D7": Family(
        "automatic letters, our own, two hubs",
        10,
        (
            f"{_READ}what_programs_send_is_told_from_what_people_send",
            f"{_READ}every_bounce_of_the_corpus_is_known_as_automatic",
            f"{_TALK}no_program_is_answered",
            f"{_TALK}our_own_letter_that_comes_back_does_nothing",
            f"{_MAIL}two_hubs_that_write_to_each_other_stop_at_once",
            f"{_MAIL}a_letter_that_went_through_many_hubs_is_held",
        ),
    ),
    "D8": Family(
        "header lines smuggled in texts",
        40,
        (
            f"{_SEND}nothing_in_a_text_becomes_a_header",
            f"{_SEND}an_address_that_is_none_gets_no_letter",
            f"{_SEND}no_subject_of_a_stranger_adds_a_line_to_what_smtp_gets",
            f"{_HOLES}a_line_smuggled_into_a_letter_is_in_no_letter_of_ours",
            f"{_HOLES}nor_in_the_letters_to_a_partner",
            "mail/test_mail_partners.py::test_a_title_full_of_header_lines_makes_no_header",
        ),
    ),
    "D9": Family(
        "tricks in From",
        15,
        (
            f"{_READ}from_with_a_trick_in_it_has_no_author",
            f"{_HOLES}an_author_that_can_be_read_in_two_ways_is_nobody",
        ),
    ),
    "D10": Family(
        "wrong ends of data", 6, (f"{_MAIL_DOOR}a_wrong_end_of_data_makes_no_second_letter",)
    ),
    "D11": Family(
        "servers that are not who they say",
        2,
        (
            f"{_SEND}a_server_with_a_certificate_of_another_gets_nothing",
            "mail/test_real_servers.py::test_a_server_nobody_vouches_for_is_not_read",
        ),
    ),
    "D12": Family("markup in words", 1, (f"{_SEND}markup_in_words_is_escaped",)),
    "D13": Family(
        "internal words that leave by letter",
        1,
        (
            f"{_TALK}nothing_internal_leaves_by_letter",
            f"{_SEND}internal_words_have_no_way_into_a_letter",
        ),
    ),
    "D14": Family(
        "a line that breaks around the last dot",
        3,
        (
            f"{_SEND}what_fails_for_now_is_tried_again_and_arrives_once",
            f"{_SEND}a_line_cut_behind_the_last_dot_repeats_the_same_letter",
            f"{_SEND}a_server_slow_to_say_goodbye_has_the_letter_once",
        ),
    ),
    "D15": Family(
        "letters that break readers",
        7,
        (
            f"{_READ}a_letter_built_to_break_readers_is_unreadable_in_no_time",
            f"{_READ}whatever_the_bytes_are_a_letter_comes_out_or_unreadable",
            f"{_SEND}a_letter_that_breaks_the_reader_is_held_whole_and_the_queue_goes_on",
            "mail/test_corpora_intake.py::test_every_letter_of_the_corpora_is_done_or_held_with_its_bytes_and_no_program_is_answered",
        ),
    ),
    "E1": Family(
        "scripts in whatever people write",
        1,
        (
            f"{_FIELDS}hostile_texts_stay_texts_in_every_field_of_every_form",
            f"{_FIELDS}in_the_form_of_a_button_nobody_can_write",
            "console/test_work_in_a_browser.py::test_naughty_words_stay_words",
            f"{_READ}html_has_nothing_left_that_acts",
        ),
    ),
    "E2": Family(
        "files that a browser would run",
        12,
        (
            f"{_WEB}whatever_was_uploaded_is_saved_and_never_run",
            "api/test_files.py::test_a_hostile_name_does_no_harm",
        ),
    ),
    "E3": Family(
        "words in an address or a header that come back",
        15,
        (
            f"{_WEB}no_word_in_an_address_is_more_than_a_word",
            f"{_WEB}no_word_in_a_form_is_more_than_a_word",
            f"{_SMUGGLED}what_is_no_request_is_answered_with_no_byte_of_it_and_logged_with_none",
        ),
    ),
    "E4": Family(
        "every page and route, every role, things of another account",
        1,
        (
            "console/test_who_may.py::test_nobody_gets_beyond_what_the_policy_says",
            "console/test_who_may.py::test_the_router_serves_what_the_table_says_and_nothing_else",
            "api/test_access.py::test_every_route_is_classified",
        ),
    ),
    "E5": Family(
        "files without a session, or by an ended link",
        5,
        (
            f"{_WEB}a_file_opens_for_nobody_without_the_session_or_the_link_it_belongs_to",
            "api/test_access.py::test_a_file_of_another_ticket_is_not_there",
            f"{_OWN}after_parting_not_a_byte_more_of_the_ticket_is_sent",
        ),
    ),
    "E6": Family(
        "ways in that should be shut",
        10,
        (
            f"{_SIGN_IN}a_disabled_agent_is_out_at_once_and_stays_out",
            f"{_SIGN_IN}an_invitation_opens_once_and_not_for_ever",
            f"{_SIGN_IN}a_wrong_password_and_an_unknown_name_are_told_the_same",
            f"{_SIGN_IN}a_new_password_ends_every_other_session",
            f"{_SIGN_IN}with_a_second_factor_the_password_alone_opens_nothing",
            f"{_SIGN_IN}a_session_of_one_node_opens_nothing_at_another",
            f"{_WAYS_IN}the_first_link_chooses_a_password_and_later_ones_sign_in",
            f"{_WAYS_IN}a_reset_gives_a_new_password_and_ends_what_the_old_one_opened",
            f"{_WAYS_IN}serving_says_how_to_begin_until_somebody_has",
            "api/test_access.py::test_a_stranger_is_turned_away_at_every_route",
            "cli/test_backup.py::test_nobody_gets_in_by_what_the_backup_remembers",
        ),
        "No header and no directory of others signs anybody in: there is no such way.",
    ),
    "E7": Family(
        "addresses that callers make up",
        1000,
        (
            f"{_WEB}a_thousand_made_up_addresses_are_one_caller",
            "federation/test_limits.py::test_a_written_address_changes_nothing_unless_our_proxy_wrote_it",
            "console/test_health.py::test_a_proxy_on_this_machine_does_not_open_the_counters",
        ),
    ),
    "E8": Family(
        "SQL in every word",
        15,
        (
            f"{_WEB}no_word_of_a_programs_address_is_more_than_a_word",
            f"{_WEB}no_word_in_an_address_is_more_than_a_word",
            f"{_WEB}signs_that_stand_for_anything_in_a_database_find_themselves_only",
            "api/test_any_request.py::test_every_answer_is_one_that_is_described",
        ),
    ),
    "E9": Family(
        "cells that a spreadsheet would run",
        1,
        (f"{_WEB}nothing_is_given_out_as_a_table_that_a_spreadsheet_would_run",),
        "There is no such export; tabs of the command line are for programs and stay as they are.",
    ),
    "E10": Family(
        "forms of other sites",
        9,
        (
            f"{_WEB}no_form_of_another_site_does_anything_on_any_page",
            f"{_WEB}a_form_that_a_browser_sends_by_itself_is_none_for_programs",
            "console/test_door.py::test_without_fetch_metadata_the_origin_decides",
        ),
    ),
    "E11": Family(
        "frames, caches, where links lead",
        14,
        (
            f"{_WEB}every_answer_of_every_page_is_strict",
            f"{_WEB}no_page_leads_elsewhere_whatever_it_is_told",
            f"{_SIGN_IN}nobody_is_led_elsewhere_after_signing_in",
            f"{_BROWSER}no_other_site_frames_a_page",
            f"{_BROWSER}after_signing_out_there_is_no_way_back",
        ),
    ),
    "E12": Family(
        "requests that can be read in two ways",
        100,
        (
            f"{_SMUGGLED}what_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_read",
            f"{_SMUGGLED}what_may_be_taken_is_taken_whole_or_the_line_is_closed",
            f"{_SMUGGLED}a_plain_request_and_the_next_are_two",
        ),
        "Against the node itself; behind a proxy of the operator's choice it has not been run.",
    ),
    "E13": Family(
        "secrets in the database, logs, backups, messages",
        7,
        (
            f"{_SIGN_IN}nothing_that_opens_is_kept_in_the_database",
            f"{_WAYS_IN}serving_says_how_to_begin_until_somebody_has",
            "api/test_access.py::test_a_token_is_kept_as_its_hash_only",
            "api/test_webhooks.py::test_a_secret_is_shown_once_and_kept_hidden",
            "api/test_problems.py::test_a_bug_of_ours_tells_a_number_and_nothing_else",
            "cli/test_backup.py::test_nothing_secret_is_in_a_backup_without_keys",
            "test_logs.py::test_a_secret_by_its_shape_is_hidden_wherever_it_stands",
            f"{_SMUGGLED}what_is_no_request_is_answered_with_no_byte_of_it_and_logged_with_none",
        ),
    ),
    "E14": Family(
        "recordings of sessions about to leave",
        0,
        ("console/test_partners.py::test_a_secret_in_a_message_is_masked",),
        "On our own screens only: words and files that people make public leave as they are. "
        "Nothing holds them back yet.",
    ),
    "E15": Family(
        "pages rendered on the server",
        1,
        (
            f"{_NAMES}nothing_in_the_nodes_process_decodes_a_file",
            f"{_READ}html_has_nothing_left_that_acts",
        ),
        "Nothing is rendered on the server: no PDF, no picture, no page of others.",
    ),
    "E16": Family(
        "prototypes in the browser",
        1,
        (
            f"{_BROWSER}a_prototype_in_an_address_changes_none",
            f"{_WEB}no_word_in_an_address_is_more_than_a_word",
        ),
    ),
    "X1": Family(
        "a sync takes away only what it brought",
        1,
        (f"{_SYNC}changes_and_the_end_of_a_hand_off_leave_what_our_people_made",),
    ),
    "X2": Family(
        "twenty quick edits on both sides",
        20,
        (f"{_SYNC}forty_edits_crossing_each_other_converge_without_an_echo",),
    ),
    "X3": Family(
        "what is internal never leaves; unsharing is clear",
        2,
        (
            (
                "journeys/test_nothing_internal_leaves.py::"
                "test_nothing_internal_leaves_a_chain_of_three"
            ),
            f"{_SYNC}after_unsharing_both_sides_say_the_same",
        ),
    ),
    "X4": Family(
        "a restored or lost database",
        0,
        elsewhere="The simulation restores, clones and loses databases by the thousand "
        "(tests/simulation), and the conformance suite takes a stream back (group C4).",
    ),
    "X5": Family(
        "a second copy gets the same receipt",
        2,
        (
            f"{_DELIVERY}a_second_copy_gets_the_same_receipt_byte_for_byte",
            f"{_DOOR}a_batch_replayed_inside_its_window_gets_the_same_receipt_and_no_second_effect",
        ),
    ),
    "X6": Family(
        "ninety days late",
        2,
        (
            f"{_SYNC}a_message_ninety_days_late_is_delivered_once_and_its_replay_is_a_copy",
            f"{_SYNC}what_we_could_not_send_for_ninety_days_arrives_once",
        ),
    ),
}
