"""Limits on the mails that anybody can have sent to a mailbox."""

# By template: the rate limit in `ACCOUNT_RATE_LIMITS`. Resets have one of their own, so that other
# mails cannot use it up: their links all work until the password is changed.
MAILBOX_LIMITS = {
    "account/email/password_reset_key": "reset_mails",
    "account/email/unknown_account": "reset_mails",
    "account/email/account_already_exists": "other_mails",
    "account/email/email_confirmation": "other_mails",
    "account/email/email_confirmation_signup": "other_mails",
    "mfa/email/totp_enrolment": "other_mails",
}
GMAIL_DOMAINS = {"gmail.com", "googlemail.com"}


def normalize_mailbox(address: str) -> str:
    """Return one spelling for all addresses of a mailbox.

    Most servers deliver `name+anything` to `name`; Gmail ignores dots as well.
    """
    local, _, domain = address.strip().lower().rpartition("@")
    local = local.partition("+")[0] or local
    if domain in GMAIL_DOMAINS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"
