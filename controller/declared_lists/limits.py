"""The limits of what is taken from outside, each with its reason. No XML here: clients obey them too."""

# A message of 100 lists with 3 rows is 0.4 MB, enveloped 0.6 MB; larger ones are sent in parts.
DOCUMENT_BYTES_MAX = 2_000_000
# The standard's own limits (XSD).
LISTS_PER_MESSAGE_MAX = 100
ROWS_PER_LIST_MAX = 99
# The longest number and the longest remark of any message; they bind even a receipt that is taken
# although it breaks the standard.
NAME_LENGTH_MAX = 60
INFO_LENGTH_MAX = 1_000
# Errors reported for one document; what is beyond is counted, not told.
ERRORS_PER_DOCUMENT_MAX = 200
# A time further ahead than this would shut out every later receipt: it is refused. One day covers
# any time zone and a badly set clock.
AHEAD_S_MAX = 86_400
