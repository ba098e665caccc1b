// Package object reads the ways in which one document stands in another: packages
// (files that were dropped into a document), objects of OLE 1, and the class ids of
// objects that attackers use.
package object

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/message/charset"
)

// Package is a file in the stream \1Ole10Native, or the data of an object of the
// class Package. Names and paths are those of the machine where it was made.
type Package struct {
	Label, Path, Temp string
	Data              []byte // as much as there is
	Size              int64  // as declared
	Linked            bool   // it names a file and holds none
}

// Name is the last element of the path, or the label.
func (p Package) Name() string {
	for _, s := range []string{p.Label, p.Path, p.Temp} {
		if s = s[strings.LastIndexAny(s, `\/`)+1:]; s != "" {
			return s
		}
	}
	return "package"
}

// ParseStream reads a stream \1Ole10Native: a length, then a package.
func ParseStream(b []byte) (Package, error) {
	if len(b) < 4 {
		return Package{}, errors.New("object: package is cut short")
	}
	return Parse(b[4:])
}

// Parse reads a package.
func Parse(b []byte) (Package, error) {
	var p Package
	short := errors.New("object: package is cut short")
	if len(b) < 6 || binary.LittleEndian.Uint16(b) != 2 {
		return p, errors.New("object: no package")
	}
	b = b[2:]
	var ok bool
	if p.Label, b, ok = text(b); !ok {
		return p, short
	}
	if p.Path, b, ok = text(b); !ok || len(b) < 8 {
		return p, short
	}
	kind := binary.LittleEndian.Uint16(b[2:])
	p.Linked = kind == 1
	n := binary.LittleEndian.Uint32(b[4:])
	b = b[8:]
	if int64(n) > int64(len(b)) {
		return p, short
	}
	p.Temp, _, _ = text(append(b[:n:n], 0))
	b = b[n:]
	if p.Linked {
		return p, nil
	}
	if len(b) < 4 {
		return p, short
	}
	p.Size = int64(binary.LittleEndian.Uint32(b))
	p.Data = b[4:][:min(p.Size, int64(len(b)-4))]
	return p, nil
}

// text cuts a string that ends in a zero byte.
func text(b []byte) (string, []byte, bool) {
	n := bytes.IndexByte(b, 0)
	if n < 0 || n > 4096 {
		return "", b, false
	}
	s, _ := charset.Decode("windows-1252", b[:n])
	return s, b[n+1:], true
}

// OLE1 is an object of OLE 1.0, [MS-OLEDS] 2.2.
type OLE1 struct {
	Class  string
	Topic  string // of linked objects: the file
	Linked bool
	Data   []byte // as much as there is
}

// ParseOLE1 reads an object of OLE 1.
func ParseOLE1(b []byte) (OLE1, error) {
	var o OLE1
	short := errors.New("object: object is cut short")
	if len(b) < 8 {
		return o, short
	}
	format := binary.LittleEndian.Uint32(b[4:])
	if format < 1 || format > 5 {
		return o, errors.New("object: no object of OLE 1")
	}
	o.Linked = format == 1
	b = b[8:]
	var fields [3]string
	for i := range fields {
		if len(b) < 4 {
			return o, short
		}
		n := binary.LittleEndian.Uint32(b)
		if b = b[4:]; int64(n) > int64(len(b)) || n > 4096 {
			return o, short
		}
		fields[i], _ = charset.Decode("windows-1252", bytes.TrimRight(b[:n], "\x00"))
		b = b[n:]
	}
	o.Class, o.Topic = fields[0], fields[1]
	if o.Linked || len(b) < 4 {
		return o, nil
	}
	n := int64(binary.LittleEndian.Uint32(b))
	o.Data = b[4:][:min(n, int64(len(b)-4))]
	return o, nil
}

// classes are ids that say something, as Windows writes them.
var classes = map[string]struct {
	name string
	kind inspect.Kind
}{
	"0002CE02-0000-0000-C000-000000000046": {"Microsoft Equation 3.0", inspect.EquationObject},
	"0002CE03-0000-0000-C000-000000000046": {"MathType", inspect.EquationObject},
	"00021700-0000-0000-C000-000000000046": {"Microsoft Equation 2.0", inspect.EquationObject},
	"0003000B-0000-0000-C000-000000000046": {"Microsoft Equation", inspect.EquationObject},
	"0003000C-0000-0000-C000-000000000046": {"Package", inspect.EmbeddedObject},
	"F20DA720-C02F-11CE-927B-0800095AE340": {"Package", inspect.EmbeddedObject},
	"00000300-0000-0000-C000-000000000046": {"OLE link", inspect.EmbeddedObject},
	"79EAC9E0-BAF9-11CE-8C82-00AA004BA90B": {"URL moniker", inspect.ActiveControl},
	"06290BD2-48AA-11D2-8432-006008C3FBFC": {"script moniker", inspect.ActiveControl},
	"06290BD3-48AA-11D2-8432-006008C3FBFC": {"scriptlet", inspect.ActiveControl},
	"ECABAFC6-7F19-11D2-978E-0000F8757E2A": {"new moniker", inspect.ActiveControl},
	"ECABB0C7-7F19-11D2-978E-0000F8757E2A": {"SOAP moniker", inspect.ActiveControl},
	"EAB22AC3-30C1-11CF-A7EB-0000C05BAE0B": {"Shell.Explorer", inspect.ActiveControl},
	"8856F961-340A-11D0-A96B-00C04FD705A2": {"WebBrowser", inspect.ActiveControl},
	"25336920-03F9-11CF-8FD0-00AA00686F13": {"HTML document", inspect.ActiveControl},
	"3050F4D8-98B5-11CF-BB82-00AA00BDCE0B": {"HTML application", inspect.ActiveControl},
	"D27CDB6E-AE6D-11CF-96B8-444553540000": {"Flash", inspect.ActiveControl},
	"BDD1F04B-858B-11D1-B16A-00C0F0283628": {"MSCOMCTL ListView", inspect.ActiveControl},
	"996BF5E0-8044-4650-ADEB-0B013914E99C": {"MSCOMCTL", inspect.ActiveControl},
	"A08A033D-1A75-4AB6-A166-EAD02F547959": {"OTKLOAD", inspect.ActiveControl},
	"F4754C9B-64F5-4B40-8AF4-679732AC0607": {"Word document", inspect.EmbeddedObject},
	"78A51822-51F4-11D0-8F20-00805F2CD064": {"script control", inspect.ActiveControl},
	"72C24DD5-D70A-438B-8A42-98424B88AFB8": {"WScript.Shell", inspect.ActiveControl},
	"F935DC22-1CF0-11D0-ADB9-00C04FD58A0B": {"WScript.Shell", inspect.ActiveControl},
}

// ID writes a class id in the form of Windows.
func ID(b [16]byte) string {
	le := binary.LittleEndian
	return fmt.Sprintf("%08X-%04X-%04X-%X-%X", le.Uint32(b[:]), le.Uint16(b[4:]), le.Uint16(b[6:]), b[8:10], b[10:])
}

// StateClass states a fact where an object's class is one that attackers use.
func StateClass(w *child.Work, id [16]byte) {
	if id == [16]byte{} {
		return
	}
	if c, ok := classes[ID(id)]; ok {
		w.Fact(c.kind, c.name)
	}
}

// StateName does the same for a class by its name: "Equation.3".
func StateName(w *child.Work, class string) {
	low := strings.ToLower(class)
	switch {
	case low == "":
	case strings.HasPrefix(low, "equation") || strings.HasPrefix(low, "mathtype"):
		w.Fact(inspect.EquationObject, class)
	case strings.HasPrefix(low, "forms.") || strings.HasPrefix(low, "shell.explorer") || strings.HasPrefix(low, "mscomctllib") || strings.HasPrefix(low, "otkload") || strings.HasPrefix(low, "shockwaveflash") || strings.HasPrefix(low, "htmlfile"):
		w.Fact(inspect.ActiveControl, class)
	default:
		w.Fact(inspect.EmbeddedObject, class)
	}
}

// State emits a package's file, and states that it is there.
func (p Package) State(w *child.Work) error {
	w.Fact(inspect.EmbeddedObject, p.Name())
	if p.Linked {
		w.Fact(inspect.RemoteObject, p.Path)
		return nil
	}
	if p.Data == nil {
		return nil
	}
	_, err := w.Emit(child.Entry{Name: p.Name(), Method: "package", Size: p.Size, Bytes: p.Data})
	return err
}
