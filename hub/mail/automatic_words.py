"""How programs call themselves and what they write into subjects, in the languages we meet."""

from __future__ import annotations

import re
from typing import Final

ROBOTS: Final = re.compile(
    r"(?:mailer-daemon|postmaster|no-?_?reply|do-?not-?reply|donotreply|bounces?|bounced|"
    r"mail-?daemon|autoreply|auto-reply|daemon|mailerdaemon|nobody|www-data|root|"
    r"owner-.{1,60}|.{1,60}-(?:request|owner|bounces?)|bounces?[+=-].{1,80})@.{1,255}",
    re.IGNORECASE,
)
DAEMONS: Final = re.compile(
    r"(?:mailer-daemon|mail-?daemon|postmaster|mailerdaemon|mdaemon|daemon)(?:@.{0,255})?",
    re.IGNORECASE,
)
ABSENT: Final = re.compile(
    r"(?:auto(?:matic)?[\s_-]?(?:re(?:ply|sponse|sponder))|out of (?:the )?office|on (?:vacation|leave)"
    r"|автоответ|автоматическ\w{2,4} (?:ответ|уведомлен)|вне офиса|нет (?:в офисе|на месте)"
    r"|я в отпуске|нахожусь в отпуске|отсутстви[ея] на рабочем|abwesenheit|absence du bureau)",
    re.IGNORECASE,
)
FAILED: Final = re.compile(
    r"(?:undeliver|delivery (?:status|failure|report|has failed|notification)|returned (?:mail|to sender)"
    r"|mail (?:delivery|system error|could not be delivered)|failure notice|non[- ]?delivery"
    r"|не (?:может быть )?доставлен|недоставлен|сообщение не было доставлено|mail failure"
    r"|message (?:delivery|status|undelivered)|delayed mail|warning: (?:message|could not send)"
    r"|permanent error|error sending|rejected|配信)",
    re.IGNORECASE,
)
