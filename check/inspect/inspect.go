// Package inspect holds the check that has the files of a message looked into. The
// work is done elsewhere, by an [inspect.Inspector] whose decoders may die; this
// package chooses which files need it, offers words of the message as passwords,
// and turns what was found into evidence: what a file is (by class, of which the
// admin's table says what happens to it), what is in it, where it leads.
package inspect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sluice"
	"sluice/check"
	"sluice/inspect"
	"sluice/message"
	"sluice/reason"
)

// Config gives the check its inspector.
type Config struct {
	Inspector inspect.Inspector // nil: nobody looks
	Budget    inspect.Budget
	Table     Table
	// Absent says what becomes of a message whose files nobody could look into.
	Absent check.Absence
	// Deadline bounds the wait; 0: the budget's time and a little more.
	Deadline time.Duration
	// Known looks a file up in lists of digests, by size, SHA-256, TLSH digest and place
	// in words; nil: there are none.
	Known func(size int64, sum [32]byte, digest, where string) []sluice.Evidence
	// Text judges what a reader of the documents sees, bounded; nil: nobody.
	Text func(text string) []sluice.Evidence
	// Links judges where files lead, such as the address in a QR code; nil: nobody.
	Links func(in *check.Input, urls []inspect.Link) []sluice.Evidence
	Tools Tools
}

// Checks returns the check; none without an inspector.
func Checks(c Config) []check.Checker {
	if c.Inspector == nil {
		return nil
	}
	return []check.Checker{newChecker(c)}
}

func newChecker(c Config) checker {
	if c.Deadline == 0 {
		c.Deadline = c.Budget.WithDefaults().Time + 2*time.Second
		if c.Tools.Inspector != nil {
			c.Deadline += c.Tools.Time + wait
		}
	}
	return checker{c}
}

// Pictures returns what tells other checks of the pictures that a message holds, with
// the Config of Checks; nil without an inspector. It waits for the same look into the
// files as the check, or has it done where the check hasn't run yet.
func Pictures(c Config) func(context.Context, *check.Input) []inspect.Image {
	if c.Inspector == nil {
		return nil
	}
	look := newChecker(c)
	return func(ctx context.Context, in *check.Input) []inspect.Image {
		if l := look.look(ctx, in); l.report != nil {
			return l.report.Images
		}
		return nil
	}
}

type checker struct{ cfg Config }

// Info declares the check. Malware may be found though the verdict is settled.
func (c checker) Info() check.Info {
	ids := []sluice.Reason{reason.EngineMalware, reason.EngineSuspicious, reason.InspectCrashed, reason.InspectExhausted, reason.FileRefused, reason.FileHeld, reason.FileStripped, reason.FileConverted, reason.PasswordInMessage,
		reason.DocumentRuns, reason.CodeInPicture, reason.TextInFile, reason.OfficeMacro, reason.ArchiveEncrypted, reason.ArchiveNested, reason.ArchiveProgram, reason.YaraMatch, reason.EngineUnknown, reason.CheckIncomplete}
	for _, f := range facts {
		if !slices.Contains(ids, f.id) {
			ids = append(ids, f.id)
		}
	}
	return check.Info{Name: "inspect/files", Phase: sluice.PhaseMessage, Group: sluice.GroupAttachment, Cost: check.Remote,
		Deadline: c.cfg.Deadline, Absent: c.cfg.Absent, Reasons: ids}
}

// Looked is what was found in a message's files. It is noted, so that those who
// handle the message afterwards know which part is which.
type Looked struct {
	Report *inspect.Report
	Parts  []Part       // of the inputs, in their order
	Left   int          // parts that nobody looked into: there are too many
	Marked map[int]bool // files that evidence speaks of
}

// Part is a part of the message that was looked into.
type Part struct {
	Index int // in the message itself; the part that holds it where it stands in an encoded one
	Inner bool
	Path  string
	Name  string
}

// Check looks into the files that need it.
func (c checker) Check(ctx context.Context, in *check.Input) ([]sluice.Evidence, error) {
	if in.Message == nil {
		return nil, ctx.Err()
	}
	seen := c.look(ctx, in)
	req, report := seen.req, seen.report
	if seen.err != nil {
		return nil, seen.err
	}
	if report == nil {
		return nil, ctx.Err()
	}
	l := &Looked{Report: report, Parts: seen.parts, Left: seen.left}
	unknown := c.cfg.Tools.look(ctx, req, report)
	out := append(c.evidence(in, l), unknown...)
	check.Note(in.Notes, func() *Looked { return l })
	if report.Ended == inspect.Killed { // somebody else did that: the files had no look
		return out, errors.New("inspect: " + report.Ended.String())
	}
	return out, ctx.Err()
}

// look is a look into a message's files, whoever asked for it first.
type look struct {
	req    *inspect.Request
	parts  []Part
	left   int
	report *inspect.Report // nil where no file needs a look, or nobody could
	err    error
}

// look has the files looked into, once where notes are kept.
func (c checker) look(ctx context.Context, in *check.Input) *look {
	return check.Note(in.Notes, func() *look {
		ctx, cancel := context.WithTimeout(ctx, c.cfg.Deadline)
		defer cancel()
		l := &look{}
		if l.req, l.parts, l.left = request(in.Message, c.cfg.Budget); len(l.req.Inputs) == 0 {
			return l
		}
		l.req.Keep = c.cfg.Tools.keep(in.Message)
		l.report, l.err = c.cfg.Inspector.Inspect(ctx, l.req)
		return l
	})
}

// request takes the files that need a look, and counts those that are too many.
func request(m *message.Message, b inspect.Budget) (req *inspect.Request, parts []Part, left int) {
	req = &inspect.Request{Budget: b}
	for owner, p := range m.All() {
		if len(p.Children) > 0 && (p.IsMultipart() || p.IsMessage()) {
			continue
		}
		body := owner.Decoded(p)
		switch {
		case !needed(p, body):
			continue
		case len(req.Inputs) == inspect.MaxInputs:
			left++
			continue
		}
		req.Inputs = append(req.Inputs, inspect.Input{Name: p.Filename, DeclaredType: p.Type, Body: body})
		at := Part{Index: p.Index, Path: p.Path, Name: p.Filename}
		if owner != m {
			at.Index, at.Inner = 0, true
		}
		parts = append(parts, at)
	}
	if len(parts) > 0 {
		req.Passwords = passwords(m)
	}
	return req, parts, left
}

// needed says whether a part is more than text that a person reads. Text by
// declaration that isn't text by its octets is looked into; so is a page that is
// attached, since a browser opens it, any text that comes as a file, and text that
// could draw a code.
func needed(p *message.Part, body []byte) bool {
	switch {
	case len(body) == 0:
		return false
	case strings.HasPrefix(p.Type, "text/") && !p.IsFile():
		return !plain(body) || inspect.MayDraw(p.Type, body)
	case p.Type == "application/pgp-signature": // in armour, it is text
		return !plain(body) || !harmlessName(p.Filename)
	case p.Type == "application/pkcs7-signature" && p.Filename == "smime.p7s":
		return body[0] != derSequence || len(body) > 64<<10
	case p.Type == "text/plain", p.Type == "text/x-diff", p.Type == "text/x-patch":
		return !plain(body) || !harmlessName(p.Filename)
	}
	return true
}

// derSequence begins what is signed by S/MIME (X.690 8.9), and no format that does
// harm. The sender's word for a part is believed only as far as its octets bear it out.
const derSequence = 0x30

// plain says whether the first octets are text: no NUL, hardly any controls.
func plain(body []byte) bool {
	head := body[:min(len(body), 1024)]
	odd := 0
	for _, c := range head {
		switch {
		case c == 0:
			return false
		case c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b:
			odd++
		}
	}
	return odd*50 <= len(head) && !startsLikeFile(head)
}

// startsLikeFile knows the few formats that begin with letters.
func startsLikeFile(head []byte) bool {
	for _, magic := range []string{"MZ", "PK\x03\x04", "%PDF-", "{\\rtf", "Rar!", "MSCF", "7z\xbc\xaf", "<?xml", "<svg", "#!"} {
		if strings.HasPrefix(string(head[:min(len(head), 8)]), magic) {
			return true
		}
	}
	return false
}

// harmlessName says whether a name opens in an editor, nowhere else.
func harmlessName(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return true
	}
	switch strings.ToLower(name[dot:]) {
	case ".txt", ".diff", ".patch", ".log", ".asc", ".c", ".h", ".go", ".rs", ".md", ".tex", ".conf":
		return true
	}
	return false
}

// evidence turns a report into facts about the message.
func (c checker) evidence(in *check.Input, l *Looked) []sluice.Evidence {
	s := statements{looked: l}
	r := l.Report
	if r.Ended != inspect.Complete && r.Ended != inspect.Killed {
		what := r.Ended.String()
		if r.At >= 0 && r.At < len(r.Files) {
			what += " at " + s.place(r.At)
		}
		s.add(reason.InspectCrashed, max(r.At, 0), what+by(r.By))
	}
	if ex := r.Exhausted &^ (inspect.LimitFacts | inspect.LimitKept); ex != 0 && r.Ended == inspect.Complete {
		s.add(reason.InspectExhausted, 0, "there is more than was looked at: "+ex.String())
	}
	if l.Left > 0 {
		s.add(reason.InspectExhausted, 0, fmt.Sprint(l.Left, " more files"))
	}
	for i := range r.Files {
		c.policy(&s, i)
		if f := &r.Files[i]; c.cfg.Known != nil && f.SHA256 != ([32]byte{}) {
			known := c.cfg.Known(f.Size, f.SHA256, f.TLSH, s.place(i))
			if len(known) > 0 {
				l.mark(i)
			}
			s.list = append(s.list, known...)
		}
	}
	for _, f := range r.Facts {
		if f.Kind == inspect.RuleMatch && f.File >= 0 && f.File < len(r.Files) {
			s.rule(f)
			continue
		}
		k, ok := facts[f.Kind]
		if !ok || f.File < 0 || f.File >= len(r.Files) || k.inside && elsewhere(&r.Files[f.File], f.Kind) {
			continue
		}
		n := len(s.list)
		s.add(k.id, f.File, f.Detail)
		if raw := k.weight(f); raw != 0 && len(s.list) > n && s.list[n].Raw != 0 {
			s.list[n].Raw = raw
		}
	}
	for _, t := range r.Texts { // a macro's source is packed in its file
		if strings.Contains(t.Text, testFile) && t.File >= 0 && t.File < len(r.Files) {
			s.add(reason.EICAR, t.File, string(t.Origin))
		}
	}
	wild := runs(r)
	for _, i := range slices.Sorted(maps.Keys(wild)) {
		s.add(reason.DocumentRuns, i, wild[i])
	}
	for _, l := range r.Links {
		if l.Via == inspect.ViaCode && l.File >= 0 && l.File < len(r.Files) {
			s.add(reason.CodeInPicture, l.File, l.URL)
		}
	}
	out := s.list
	if c.cfg.Text != nil {
		if text := readable(r); text != "" {
			out = append(out, c.cfg.Text(text)...)
		}
	}
	if c.cfg.Links != nil && len(r.Links) > 0 {
		out = append(out, c.cfg.Links(in, r.Links)...)
	}
	for i := range out {
		out[i].Phase = sluice.PhaseMessage
	}
	return out
}

// maxText bounds what is read of all documents together.
const maxText = 64 << 10

// readable is what a reader of the files sees.
func readable(r *inspect.Report) string {
	var b strings.Builder
	for _, t := range r.Texts {
		if t.Origin != inspect.OriginBody && t.Origin != inspect.OriginOCR {
			continue
		}
		if b.Len()+len(t.Text) > maxText {
			break
		}
		b.WriteString(t.Text)
		b.WriteByte('\n')
	}
	return b.String()
}

// elsewhere says whether other checks speak of a fact: those of the message's own parts,
// but for a login in a picture (SVG), which they don't read.
func elsewhere(f *inspect.File, k inspect.Kind) bool {
	return f.Parent < 0 && (f.Type != inspect.SVG || k != inspect.PagePassword)
}

func by(decoder string) string {
	if decoder == "" {
		return ""
	}
	return ", by " + decoder
}

// policy states what the admin's table says of a file.
func (c checker) policy(s *statements, i int) {
	f := &s.looked.Report.Files[i]
	switch {
	case f.Class.Has(inspect.Macro):
		s.add(reason.OfficeMacro, i, "")
	case f.Content == inspect.Locked:
		s.add(reason.ArchiveEncrypted, i, f.Method)
	case f.Depth > 0 && f.Class.Has(inspect.Archive) && f.Type != inspect.Mail:
		s.add(reason.ArchiveNested, i, "")
	}
	action, class := c.cfg.Table.Action(f)
	if action > Deliver && s.source(i) {
		s.add(reason.ArchiveProgram, i, class)
		return
	}
	id, ok := wishes[action]
	if !ok {
		return
	}
	if inner := s.looked.Parts[min(s.root(i), len(s.looked.Parts)-1)].Inner; inner && (action == Strip || action == Convert) {
		id = reason.FileHeld // it stands in an encoded message, out of which nothing can be cut
	} else if action == Convert && (f.Parent >= 0 || !f.Class.Has(inspect.Page)) {
		id = reason.FileStripped
	}
	s.add(id, i, class)
}

// crowd is how many files an archive holds that isn't there for one of them.
const crowd = 10

// source says whether a file is a script among many others, as in a program's source:
// lures come alone, or with a picture.
func (s *statements) source(i int) bool {
	files := s.looked.Report.Files
	f := &files[i]
	if f.Parent < 0 || !f.Class.Has(inspect.Script) || f.Class.Has(inspect.Executable) || f.Class.Has(inspect.Shortcut) {
		return false
	}
	n := 0
	for k := range files {
		if files[k].Parent == f.Parent {
			n++
		}
	}
	return n > crowd
}

// wishes are the reasons by which policy knows what is to be done.
var wishes = map[Action]sluice.Reason{
	Refuse: reason.FileRefused, Hold: reason.FileHeld, Strip: reason.FileStripped, Convert: reason.FileConverted,
}

// statements keeps the first few of each reason.
type statements struct {
	looked *Looked
	list   []sluice.Evidence
}

// most is how often a reason is stated with its place.
const most = 3

func (s *statements) add(id sluice.Reason, file int, detail string) {
	s.looked.mark(file)
	n := 0
	for i := range s.list {
		if s.list[i].Reason == id {
			n++
		}
	}
	if n >= most {
		return
	}
	root := s.root(file)
	e := check.Found(id, s.place(file)+colon(detail))
	if n > 0 {
		e.Raw = 0 // the second of a kind says little more
	}
	if root < len(s.looked.Parts) && !s.looked.Parts[root].Inner {
		e.Part = s.looked.Parts[root].Index
	}
	s.list = append(s.list, e)
}

func colon(detail string) string {
	if detail == "" {
		return ""
	}
	return ": " + check.Quote(detail)
}

// root is the input that holds a file.
func (s *statements) root(file int) int {
	files := s.looked.Report.Files
	for file < len(files) && files[file].Parent >= 0 && files[file].Parent < file {
		file = files[file].Parent
	}
	return file
}

// place names a file by the way to it, with its type and hash.
func (s *statements) place(file int) string {
	files := s.looked.Report.Files
	if file >= len(files) {
		return "a file"
	}
	f := &files[file]
	var way []string
	for i := file; i >= 0 && i < len(files); i = files[i].Parent {
		name := files[i].Name
		if name == "" {
			name = "unnamed"
		}
		way = append(way, check.Quote(name))
		if len(way) == 4 {
			way = append(way, "…")
			break
		}
	}
	slices.Reverse(way)
	out := strings.Join(way, " › ")
	if f.Type != "" {
		out += " (" + string(f.Type) + ")"
	}
	if f.SHA256 != ([32]byte{}) {
		out += fmt.Sprintf(" sha256 %x", f.SHA256)
	}
	return out
}
