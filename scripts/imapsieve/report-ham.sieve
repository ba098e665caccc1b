# Runs when a user moves or copies a message out of the junk folder by IMAP. Where it
# goes to the trash nothing is said of it.
require ["vnd.dovecot.pipe", "copy", "imapsieve", "environment", "variables"];

if environment :matches "imap.mailbox" ["Trash", "Trash/*", "Trash.*", "Deleted*", "Junk", "Junk/*", "Junk.*"] { stop; }

if environment :matches "imap.user" "*" { set "user" "${1}"; }

pipe :copy "sluice-report" ["ham", "${user}"];
