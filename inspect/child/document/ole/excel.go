package ole

import (
	"encoding/binary"
	"fmt"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child/document/field"
	"sluice/inspect/child/document/script"
	"sluice/inspect/child/document/vba"
)

// Records of BIFF8, [MS-XLS] 2.3.
const (
	recFormula    = 0x0006
	recName       = 0x0018
	recFilePass   = 0x002F
	recContinue   = 0x003C
	recBoundSheet = 0x0085
	recSST        = 0x00FC
	recSupBook    = 0x01AE
	recHLink      = 0x01B8
	recLabel      = 0x0204
	recString     = 0x0207
	recBOF        = 0x0809
)

// maxRecords bounds a workbook.
const maxRecords = 2_000_000

// excel reads a workbook record by record.
func (f *file) excel(b []byte) error {
	le := binary.LittleEndian
	var text, formulas strings.Builder
	last, macro := uint16(0), false
	for i := 0; len(b) >= 4; i++ {
		if i > maxRecords {
			return f.w.Steps()
		}
		if i&0xFFF == 0 {
			if err := f.w.Err(); err != nil {
				return err
			}
		}
		id, n := le.Uint16(b), int(le.Uint16(b[2:]))
		data := b[4:][:min(n, len(b)-4)]
		b = b[4+len(data):]
		switch id {
		case recBOF:
			macro = len(data) >= 4 && le.Uint16(data[2:]) == 0x0040
		case recFilePass:
			how := "Excel, XOR"
			if len(data) >= 2 && le.Uint16(data) == 1 {
				how = "Excel, RC4"
			}
			f.encrypted(how)
			return nil
		case recBoundSheet:
			f.sheet(data)
		case recName:
			f.name(data)
		case recSupBook:
			f.supBook(data)
		case recHLink:
			f.hyperlink(data)
		case recFormula:
			if macro && len(data) > 22 && formulas.Len() < maxText {
				formulas.WriteString(Formula(data[22:]))
				formulas.WriteByte('\n')
			}
		case recString, recLabel:
			if macro && formulas.Len() < maxText {
				formulas.WriteString(vba.Strings(data, 4))
			}
			fallthrough
		case recSST:
			if text.Len() < maxText {
				text.WriteString(vba.Strings(data, 3))
			}
		case recContinue:
			if last == recSST && text.Len() < maxText {
				text.WriteString(vba.Strings(data, 3))
			}
			continue
		}
		last = id
	}
	f.sheetMacro(formulas.String())
	f.w.Text(inspect.OriginBody, text.String())
	return nil
}

// sheet reads a BOUNDSHEET: whether it holds macros, and whether it is seen.
func (f *file) sheet(d []byte) {
	if len(d) < 8 || d[5] != 1 {
		return
	}
	name := short(d[6:])
	f.w.Mark(inspect.Macro)
	f.w.Fact(inspect.SheetMacro, name)
	switch d[4] & 3 {
	case 1:
		f.w.Fact(inspect.SheetHidden, "hidden: "+name)
	case 2:
		f.w.Fact(inspect.SheetHidden, "very hidden: "+name)
	}
}

// name reads a LBL record: names by which macros run.
func (f *file) name(d []byte) {
	if len(d) < 15 {
		return
	}
	flags, cch := binary.LittleEndian.Uint16(d), int(d[3])
	body := d[14:] // a byte of flags, then the name
	if flags&0x20 != 0 {
		if len(body) >= 2 {
			if n, ok := map[byte]string{1: "Auto_Open", 2: "Auto_Close", 10: "Auto_Activate", 11: "Auto_Deactivate"}[body[1]]; ok {
				f.w.Fact(inspect.MacroAutorun, n)
			}
		}
		return
	}
	s := characters(body, cch)
	if low := strings.ToLower(s); strings.HasPrefix(low, "auto_open") || strings.HasPrefix(low, "auto_close") {
		f.w.Fact(inspect.MacroAutorun, s)
	}
}

// supBook reads a SUPBOOK: another workbook, or a program that is asked by DDE.
func (f *file) supBook(d []byte) {
	if len(d) < 5 {
		return
	}
	cch := int(binary.LittleEndian.Uint16(d[2:]))
	if cch == 0x0401 || cch == 0x3A01 { // itself, add-ins
		return
	}
	s := characters(d[4:], cch)
	if app, topic, ok := strings.Cut(s, "\x03"); ok && binary.LittleEndian.Uint16(d) == 0 {
		field.DDE(f.w, app+"|"+topic)
		return
	}
	// The path is written with signs for drives and folders, [MS-XLS] 2.5.277.
	for _, u := range script.FindURLs(strings.NewReplacer("\x01", "", "\x03", "/", "\x05", "").Replace(s), 4) {
		f.w.Fact(inspect.RemoteObject, u)
		f.w.Link(inspect.ViaAuto, u)
	}
}

func (f *file) hyperlink(d []byte) {
	for _, u := range script.FindURLs(vba.Strings(d, 4), 4) {
		f.w.Link(inspect.ViaAnchor, u)
	}
}

// sheetMacro states what the formulas of macro sheets do.
func (f *file) sheetMacro(text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	StateFormulas(f.w, text)
}

// short reads a ShortXLUnicodeString: length, flags, characters.
func short(d []byte) string {
	if len(d) < 2 {
		return ""
	}
	return characters(d[1:], int(d[0]))
}

// characters reads flags and n characters of one or two bytes.
func characters(d []byte, n int) string {
	if len(d) < 1 {
		return ""
	}
	if d[0]&1 != 0 {
		return wide(d[1:][:min(2*n, (len(d)-1)&^1)])
	}
	return latin(d[1:][:min(n, len(d)-1)])
}

// functions of macro sheets that matter, by number, [MS-XLS] 2.5.198.17.
var functions = map[uint16]string{
	17: "RUN", 53: "GOTO", 54: "HALT", 55: "RETURN", 88: "SET.NAME", 95: "SELECTION", 96: "FORMULA", 110: "EXEC", 111: "CHAR", 119: "ECHO", 117: "DOCUMENTS",
	118: "ALERT", 132: "FOPEN", 133: "FCLOSE", 137: "FWRITELN", 138: "FWRITE", 149: "REGISTER", 150: "CALL", 186: "GET.WORKSPACE", 188: "GET.DOCUMENT", 185: "GET.CELL",
	336: "CONCATENATE", 31: "MID", 115: "LEFT", 116: "RIGHT", 201: "UNREGISTER", 148: "INDIRECT", 93: "INITIATE", 94: "REQUEST", 97: "EXECUTE",
}

// maxTokens bounds a formula.
const maxTokens = 10_000

// sizes of tokens whose body is of one length, [MS-XLS] 2.5.198; the class of those
// from 0x20 on is left out.
var sizes = map[byte]int{0x01: 4, 0x02: 4, 0x1C: 1, 0x1D: 1, 0x1F: 8, 0x20: 7, 0x23: 4, 0x24: 4, 0x25: 8, 0x26: 6, 0x27: 6, 0x28: 6, 0x29: 2,
	0x2A: 4, 0x2B: 8, 0x2C: 4, 0x2D: 8, 0x39: 6, 0x3A: 6, 0x3B: 10, 0x3C: 6, 0x3D: 10}

// Formula writes a parsed expression (its length first) as text, as far as it can
// be read: constants, CHAR and concatenation are worked out, the rest is named.
func Formula(d []byte) string {
	if len(d) < 2 {
		return ""
	}
	le := binary.LittleEndian
	d = d[2:][:min(int(le.Uint16(d)), len(d)-2)]
	var stack []string
	size := 0 // bytes on the stack
	push := func(s string) {
		if size+len(s) < maxText {
			stack = append(stack, s)
			size += len(s)
		}
	}
	pop := func() string {
		if len(stack) == 0 {
			return ""
		}
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		size -= len(s)
		return s
	}
	for range maxTokens {
		if len(d) == 0 {
			break
		}
		t := d[0]
		d = d[1:]
		base := t
		if t >= 0x40 {
			base = t&0x1F | 0x20
		}
		switch {
		case base >= 0x03 && base <= 0x11: // operators of two operands
			b, a := pop(), pop()
			if base == 0x08 { // concatenation
				push(a + b)
			} else {
				push(a)
			}
		case base >= 0x12 && base <= 0x16:
			if base == 0x16 {
				push("")
			}
		case base == 0x17:
			if len(d) < 2 {
				return strings.Join(stack, " ")
			}
			n := int(d[0])
			push(characters(d[1:], n))
			if d[1]&1 != 0 {
				n *= 2
			}
			d = rest(d, 2+n)
		case base == 0x19:
			if len(d) < 3 {
				return strings.Join(stack, " ")
			}
			skip := 3
			if d[0]&0x04 != 0 {
				skip += 2 * (int(le.Uint16(d[1:])) + 1)
			}
			d = rest(d, skip)
		case base == 0x1E:
			if len(d) < 2 {
				return strings.Join(stack, " ")
			}
			push(fmt.Sprint(le.Uint16(d)))
			d = d[2:]
		case base == 0x21 || base == 0x22:
			args, head := 1, 0
			if base == 0x22 {
				head = 1
			}
			if len(d) < head+2 {
				return strings.Join(stack, " ")
			}
			if head == 1 {
				args = int(d[0] & 0x7F)
			}
			n := le.Uint16(d[head:]) & 0x7FFF
			d = d[head+2:]
			list := make([]string, args)
			for i := args - 1; i >= 0; i-- {
				list[i] = pop()
			}
			push(apply(n, list))
		default:
			n, ok := sizes[base]
			if !ok {
				return strings.Join(stack, " ")
			}
			if base >= 0x23 {
				push("")
			}
			d = rest(d, n)
		}
	}
	return strings.Join(stack, " ")
}

// apply works out a function, or names it with its arguments.
func apply(n uint16, args []string) string {
	name := functions[n]
	switch name {
	case "CHAR":
		var c int
		if _, err := fmt.Sscanf(args[0], "%d", &c); err == nil && c > 0 && c < 256 {
			return latin([]byte{byte(c)})
		}
	case "CONCATENATE":
		return strings.Join(args, "")
	case "":
		return strings.Join(args, " ")
	}
	return name + "(" + strings.Join(args, ",") + ")"
}
