package scam

import "sluice/reason"

// payroll: an "employee" wants the salary sent to another account.
var payroll = &class{
	reason: reason.BECPayroll,
	asks:   []string{"payroll-change"},
	with:   []string{"before-payday", "new-bank", "old-account", "what-needed", "urgent", "no-calls", "favour"},
	facts:  []fact{freeAuthor, freeReply, otherReply, account, shortWords},
}
