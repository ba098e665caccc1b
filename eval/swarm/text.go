package swarm

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// template is what a kind of message says: a subject and sentences, of which
// some are taken in order. Words in braces are filled in.
type template struct {
	name, subject string
	lines         []string
}

// letters are honest messages.
var letters = []template{
	{"meeting", "{day}'s meeting about the {thing}", []string{
		"Hello {first},", "thanks for the notes you sent round after the last meeting about the {thing}.",
		"I have read them with {other}, and we agree with most of what you propose.",
		"The one thing we would like to discuss again is the schedule, because the people in the {place} office are away in the second week of the month.",
		"Could we meet on {day} at {hour} instead? The large room on the third floor is free, and I have reserved it for us just in case.",
		"{other} will bring the drawings, and I will prepare a short list of open questions so that we can be done within the hour.",
		"If somebody cannot come in person, please tell me by tomorrow evening and I will set up the telephone.",
		"Please also remember to send the costs for the {thing} to the accounts department before the end of the week.",
		"Kind regards,", "{sender}"}},
	{"order", "Your order {number} is on its way", []string{
		"Dear {first},", "we have packed your order {number} today and handed it to the carrier in {place}.",
		"It contains the {thing} that you chose and the spare parts which were missing from the first delivery.",
		"The parcel should reach you on {day}, usually in the morning, and the driver will ask for a signature.",
		"The invoice is included in the parcel; it is payable within thirty days without deduction.",
		"Should anything be damaged, please keep the packaging and write to us, and we will send a replacement at once.",
		"We are sorry that the {thing} took longer than announced; our supplier in {place} had a fire in the warehouse.",
		"Thank you for your patience and for shopping with us.", "Yours sincerely,", "{sender}, dispatch"}},
	{"project", "Re: {thing}: review of the second draft", []string{
		"Hi {first},", "I went through the second draft of the {thing} last night and left remarks in the margin.",
		"The structure is much clearer than before, and chapter two reads well now.",
		"What I still miss is an example for readers who have never been to {place} and do not know the local rules.",
		"{other} suggested that we move the table of measurements to the appendix, which would make the main part shorter.",
		"Two figures seem to be from the older version: the totals in them do not match the text on the same page.",
		"I can redraw them on {day} if you send me the numbers; it is less work than it looks.",
		"About the title: I would keep it as it is, since we have already announced it to the members.",
		"Let us aim to have the final version ready by the {number}th working day, so that the printer has enough time.",
		"Best wishes,", "{sender}"}},
	{"family", "News from {place}", []string{
		"Dear {first},", "it was lovely to hear your voice on {day}, and the children still talk about your visit.",
		"The garden is finally recovering from the dry weather, and the apple tree behind the shed is full of fruit.",
		"{other} has started at the new school and likes it, although the bus leaves very early in the morning.",
		"We found the {thing} that you thought you had lost; it was under the bench in the hall all the time.",
		"Shall I send it by post, or will you collect it when you come through {place} next month?",
		"Father is well again and walks to the river every afternoon, and he sends you his love.",
		"The photographs are being printed, and I will put a set of them in the same envelope.",
		"Give our regards to everybody at home.", "Love,", "{sender}"}},
	{"newsletter", "The {place} society: programme for the season", []string{
		"Dear members,", "the season begins on {day} with a talk by {other} about the history of the {thing}.",
		"As every year, the library is open before the talk, and returned books may be left at the desk.",
		"The excursion to {place} is planned for the last Saturday of the month; please put your name on the list in the hall.",
		"The committee has decided to leave the yearly fee unchanged, because the roof cost less than expected.",
		"Volunteers are needed for the stall at the summer market: two hours of your time would help a great deal.",
		"The minutes of the general assembly can be read at the office during the usual hours.",
		"We thank {first} for looking after the collection for more than ten years.",
		"You receive this letter because you are a member; write to the secretary if you no longer wish to have it.",
		"With best regards,", "{sender}, secretary"}},
	{"monitor", "[{place}] nightly report {number}", []string{
		"The nightly jobs on the {place} host have finished.", "Backup of the {thing} volume: complete, {number} files, no errors.",
		"The copy on the second machine was compared with the first, and both agree.",
		"Free space on the archive is sufficient for about forty further days at the present rate.",
		"One package has an update that was not installed, because it needs a restart of the database on {day}.",
		"The temperature in the rack stayed within its limits, and the fans were cleaned by {other} last week.",
		"The certificate of the internal web server expires in six weeks and will be renewed by itself.",
		"No action is needed. This report is sent every day at {hour} so that its absence is noticed.",
		"-- ", "{sender}, operations"}},
}

// pitches are what bots send; each belongs to one split.
var pitches = []template{
	{"pharmacy", "Save 80% on your medication {first}", []string{"Buy cheap pills without prescription!!!", "Viagra, Cialis and {number} more at the lowest price online.", "Discreet shipping worldwide, 100% money back.", "Click here now: {link}", "Limited offer, order today and get 4 free pills."}},
	{"lottery", "CONGRATULATIONS you have won {number},000,000 USD", []string{"Dear lucky winner,", "your e-mail address was drawn in the international lottery of {place}.", "To claim your prize of {number},000,000 dollars send your full name, age, and bank account to our agent Barrister {other}.", "Keep this confidential until your claim is paid.", "Reply urgently."}},
	{"loan", "Loan approved at 2% for {first}", []string{"Do you need an urgent loan?", "We offer loans from 5,000 to 5,000,000 at 2% with no credit check.", "Contact us today with your amount and your telephone number.", "Apply at {link} and get cash in 24 hours."}},
	{"casino", "Your bonus of ${number} is waiting", []string{"Play now and win big at the best online casino!", "Free spins, no deposit, instant payout.", "Claim your ${number} bonus before {day}: {link}", "Winner of the week: {other} from {place}."}},
	{"crypto", "Double your bitcoin in 48 hours", []string{"Earn passive income with our trading robot.", "Guaranteed profit of {number}% per week, no risk.", "{other} made $40,000 in one month.", "Register now at {link} and get a starting bonus.", "Do not miss this chance."}},
	{"account", "Your mailbox is almost full, {first}", []string{"Dear user,", "your mailbox storage has exceeded the limit and will be closed on {day}.", "Verify your password now to keep your account: {link}", "Failure to do so will lead to loss of messages.", "IT Helpdesk"}},
	{"parcel", "Your package {number} could not be delivered", []string{"We tried to deliver your package but the fee of 1.99 was not paid.", "Confirm your address and card at {link}", "Your parcel will be returned on {day}.", "Customer service {place}"}},
	{"invoice", "Overdue invoice {number}", []string{"Please find below the link to your overdue invoice.", "Download and enable editing: {link}", "Payment is required immediately to avoid legal action.", "Accounts department"}},
	{"dating", "{other} wants to meet you tonight", []string{"Hi sweetie, I saw your profile.", "I am lonely and live near {place}, see my private photos: {link}", "Write me back, I wait for you.", "Kisses, {other}"}},
	{"replica", "Luxury watches 90% off", []string{"Exact replica watches and handbags.", "Nobody will see the difference, from ${number}.", "Order at {link} with free shipping.", "Sale ends {day}!"}},
	{"extortion", "I know your password {first}", []string{"I have recorded you through your camera.", "Send {number}00 dollars in bitcoin to my wallet within 48 hours or I will send the video to all your contacts.", "Do not reply, do not go to the police.", "I am watching you."}},
	{"seo", "First page on search guaranteed", []string{"Hello, I found errors on your website.", "We bring you to the first page for only ${number} per month.", "Reply with your phone number for a free audit.", "{other}, business development"}},
	{"job", "Work from home, {number} USD weekly", []string{"We need agents to process payments from home.", "No experience needed, two hours a day.", "You keep 8% of every transfer.", "Send your details to {other} before {day}."}},
	{"diet", "Lose 20 pounds in {number} days", []string{"Doctors hate this trick.", "{other} lost 20 pounds without exercise.", "Order your free bottle today: {link}", "Only {number} left in stock!!!"}},
}

func names(ts []template) []string {
	var out []string
	for _, t := range ts {
		out = append(out, t.name)
	}
	return out
}

var (
	firsts = strings.Fields("anna bruno carla david elena frank grace henry irene jonas karin lucas maria niels olga peter quentin rosa simon tanja ulrich vera walter yvonne zoe martin julia oscar paula robert")
	lasts  = strings.Fields("archer bakker castillo dahl ericsson fischer garcia hansen ivanov jansen keller larsen moreau novak olsen peters quinn rossi schmidt tanner urban visser weber young zeller brandt costa meyer")
	places = strings.Fields("Uppsala Bergen Trieste Ghent Aarhus Lugano Porto Graz Leiden Turku Galway Brno Utrecht Girona Lucca Tartu")
	things = []string{"harbour map", "garden plan", "water pump", "exhibition", "reading room", "timetable", "staircase", "boat house", "concert", "cookbook", "survey", "roof", "bridge model", "library catalogue"}
	days   = strings.Fields("Monday Tuesday Wednesday Thursday Friday Saturday")
)

// fill puts words into a template's braces.
func fill(r *rand.Rand, s, sender string) string {
	return strings.NewReplacer("{first}", title(one(r, firsts)), "{other}", title(one(r, firsts))+" "+title(one(r, lasts)),
		"{place}", one(r, places), "{thing}", one(r, things), "{day}", one(r, days), "{hour}", fmt.Sprintf("%d:%02d", 8+r.IntN(10), 15*r.IntN(4)),
		"{number}", fmt.Sprint(11+r.IntN(88)), "{link}", fmt.Sprintf("http://%s.swarm/%x", word(r, 9), r.Uint32()), "{sender}", sender).Replace(s)
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// word is a random pronounceable word of n letters.
func word(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = one(r, []byte([]string{"bdfgklmnprstvz", "aeiou"}[i%2]))
	}
	return string(b)
}

// compose writes a message from a template: header fields, and a body of the
// template's sentences, wrapped like a mail program does.
func compose(r *rand.Rand, t template, from, to, host string, date time.Time, received string) []byte {
	local, _, _ := strings.Cut(from, "@")
	sender := title(strings.ReplaceAll(local, ".", " "))
	var b bytes.Buffer
	head := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	if received != "" {
		head("Received", fmt.Sprintf("from [10.0.%d.%d] (unknown)\r\n\tby %s (%s) with ESMTP id %08X\r\n\tfor <%s>; %s", r.IntN(250), 2+r.IntN(250), host, received, r.Uint32(), to, date.Format(time.RFC1123Z)))
	}
	head("Date", date.Format(time.RFC1123Z))
	head("From", fmt.Sprintf("%s <%s>", sender, from))
	head("To", to)
	head("Subject", fill(r, t.subject, sender))
	head("Message-ID", fmt.Sprintf("<%08x.%08x@%s>", r.Uint32(), r.Uint32(), host))
	head("MIME-Version", "1.0")
	head("Content-Type", "text/plain; charset=utf-8")
	b.WriteString("\r\n")
	for i, l := range t.lines {
		if len(t.lines) > 6 && i > 1 && i < len(t.lines)-2 && r.IntN(6) == 0 {
			continue
		}
		wrap(&b, fill(r, l, sender))
	}
	return b.Bytes()
}

// wrap writes a paragraph in lines of at most 76 characters or so.
func wrap(b *bytes.Buffer, s string) {
	n := 0
	for i, w := range strings.Split(s, " ") {
		switch {
		case i == 0:
		case n+len(w) > 76:
			b.WriteString("\r\n")
			n = 0
		default:
			b.WriteByte(' ')
		}
		b.WriteString(w)
		n += len(w) + 1
	}
	b.WriteString("\r\n")
}

// corpus is a folder of stored messages, one a file, to take bodies from.
type corpus struct{ files []string }

const maxCorpusMail = 256 << 10

// openCorpus lists a folder's messages in a fixed order.
func openCorpus(dir string) (*corpus, error) {
	if dir == "" {
		return nil, nil
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("swarm: no *.eml in %s", dir)
	}
	slices.Sort(files)
	return &corpus{files}, nil
}

// draw takes one message and gives it another envelope: its own From, To, Date,
// Received and what receivers added go, so that it is this sender's message.
func (c *corpus) draw(r *rand.Rand, from, to, host string, date time.Time) ([]byte, error) {
	for range 20 {
		name := one(r, c.files)
		fi, err := os.Stat(name)
		if err != nil {
			return nil, fmt.Errorf("swarm: %w", err)
		}
		if fi.Size() > maxCorpusMail {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("swarm: %w", err)
		}
		if out := readdress(b, r, from, to, host, date); out != nil {
			return out, nil
		}
	}
	return nil, fmt.Errorf("swarm: no usable message among %d", len(c.files))
}

// keep are the header fields of a stored message that go out again.
var keep = map[string]bool{"subject": true, "mime-version": true, "content-type": true, "content-transfer-encoding": true, "content-language": true}

// readdress keeps a message's body and content fields below a header of the
// sender's own; nil where the message has no body.
func readdress(b []byte, r *rand.Rand, from, to, host string, date time.Time) []byte {
	b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	b = bytes.ReplaceAll(b, []byte("\r"), nil)
	if bytes.HasPrefix(b, []byte("From ")) {
		_, b, _ = bytes.Cut(b, []byte("\n"))
	}
	head, body, ok := bytes.Cut(b, []byte("\n\n"))
	if !ok || len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "Date: %s\nFrom: %s\nTo: %s\nMessage-ID: <%08x.%08x@%s>\n", date.Format(time.RFC1123Z), from, to, r.Uint32(), r.Uint32(), host)
	kept := false
	for l := range bytes.Lines(head) {
		if l[0] != ' ' && l[0] != '\t' {
			name, _, _ := bytes.Cut(l, []byte(":"))
			kept = keep[strings.ToLower(string(name))]
		}
		if kept {
			out.Write(bytes.TrimRight(l, "\n"))
			out.WriteByte('\n')
		}
	}
	out.WriteByte('\n')
	out.Write(bytes.TrimRight(body, "\n"))
	out.WriteByte('\n')
	return bytes.ReplaceAll(out.Bytes(), []byte("\n"), []byte("\r\n"))
}
