package scam

import (
	"math"
	"slices"

	"sluice"
	"sluice/reason"
)

// class is one kind of fraud.
type class struct {
	reason sluice.Reason
	// surer is stated in place of reason from surerAt on, where there is one.
	surer   sluice.Reason
	surerAt float64
	coins   bool // names the coin's address itself
	daily   bool // asks for what colleagues and partners ask for every day
}

// classes are all kinds. The model knows them by the reason that is surer.
var classes = []*class{
	// A supplier's or partner's account has a new number, so that the next payment goes
	// elsewhere. The invoice itself may be real.
	{reason: reason.BECPaymentChange, daily: true},
	// The boss needs a transfer today, or asks whether one can be made.
	{reason: reason.BECPayment, daily: true},
	// An "employee" wants the salary sent to another account.
	{reason: reason.BECPayroll, daily: true},
	// Buy cards for clients or staff, and send the codes.
	{reason: reason.BECGiftCard},
	// Tax forms of all employees, the list of debtors with their addresses: what the next
	// fraud is made of.
	{reason: reason.BECData, daily: true},
	// The opener. Are you there, give me your mobile number, I can't talk.
	{reason: reason.BECChannel, daily: true},
	// A stranger, a sum of money, and a reason why it will be yours, whether an
	// inheritance, a prize or a gift. First there is a fee.
	{reason: reason.AdvanceFeeHint, surer: reason.AdvanceFee, surerAt: math.Log(0.9 / 0.1)},
	// Money for everybody at three per cent, no questions asked; the fee comes first here
	// too.
	{reason: reason.ScamLoan},
	// I have seen you, pay in coin, or all will know.
	{reason: reason.Extortion, coins: true},
	// Pay, or something blows up, breaks down or is published.
	{reason: reason.ExtortionThreat, coins: true},
	// Easy work at home, paid well by a stranger: money is to be passed on, checks cashed,
	// parcels forwarded.
	{reason: reason.ScamJob},
	// Sure returns, a mentor, a platform nobody knows; or the lost coins that somebody
	// recovers.
	{reason: reason.ScamInvestment},
	// A disaster or an illness, and gifts that go to a person, in coins or on cards.
	{reason: reason.ScamCharity},
	// Love at first letter; the money comes later.
	{reason: reason.ScamRomance},
	// A charge you don't know, and a number where somebody waits.
	{reason: reason.CallbackInvoice},
	// Your computer is ill, or its protection ends today.
	{reason: reason.ScamTechSupport},
	// The tax office owes you money and needs your card.
	{reason: reason.ScamRefund},
	// A flat whose owner is abroad: the keys come once the deposit is paid.
	{reason: reason.ScamRental},
	// Something waits for you, if you pay a little first.
	{reason: reason.ScamParcel},
}

// name is how the model calls a class.
func (c *class) name() sluice.Reason {
	if c.surer != "" {
		return c.surer
	}
	return c.reason
}

// Classes are the kinds of fraud as the model knows them.
func Classes() []string {
	var out []string
	for _, c := range classes {
		out = append(out, string(c.name()))
	}
	slices.Sort(out)
	return out
}

// unsuspected is what is taken off the odds of what is asked for every day where nothing
// says that the sender is somebody else, in nats.
const unsuspected = 0.5

// judged are weights that no collection of mail can tell: who knows whom, and what came
// through a list or to many. They are in nats, and of all frauds alike. A known correspondent
// lowers and doesn't acquit: accounts are stolen.
var judged = map[fact]float64{
	stranger: 0.5, namesake: 2.5, opener: 1.5, known: -1.5, wroteTo: -1, replyToUs: -1.5, inside: -2.5, listMail: -1.5, bulkMail: -1, quotedWords: -1.5,
}
