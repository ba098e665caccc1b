# Runs when a user moves or copies a message into the junk folder by IMAP, and hands
# it to sluice-report. Compile with sievec.
require ["vnd.dovecot.pipe", "copy", "imapsieve", "environment", "variables"];

if environment :matches "imap.user" "*" { set "user" "${1}"; }

pipe :copy "sluice-report" ["spam", "${user}"];
