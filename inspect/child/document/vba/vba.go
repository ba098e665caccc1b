// Package vba reads the macros of Office ([MS-OVBA]): the sources of a VBA project,
// which of them run by themselves, and whether the source was taken away from
// beneath the compiled form. It believes the source, and says so where it can't.
package vba

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/document/cfb"
	"sluice/inspect/child/document/script"
	"sluice/message/charset"
)

// Bounds.
const (
	maxModules  = 1000
	maxSource   = 2 << 20 // bytes of one module
	maxStream   = 8 << 20 // bytes of one stream
	maxProjects = 8
	maxStorages = 64 // that are called VBA
)

// Module is one module of a project.
type Module struct {
	Name   string
	Source string // empty where it could not be read
	Cache  int    // bytes of its compiled form
	Broken string // why the source could not be read
}

// Project is a VBA project.
type Project struct {
	Path    string // storage that holds it, "" for the root
	Modules []Module
	Locked  bool   // it asks for a password before it shows its source
	Names   []byte // the stream of compiled names, as it is
	Forms   string // texts of the project's forms
}

// Read finds the projects of a compound file. The error is that of the budget.
func Read(f *cfb.File, w *child.Work) ([]Project, error) {
	var out []Project
	storages := 0
	for _, e := range f.Entries {
		if !e.Storage || !strings.EqualFold(e.Name, "VBA") {
			continue
		}
		if storages++; storages > maxStorages || len(out) == maxProjects {
			return out, w.Steps()
		}
		p, err := read(f, w, e.Path)
		if err != nil {
			return out, err
		}
		if len(p.Modules) > 0 {
			out = append(out, p)
		}
	}
	return out, nil
}

func read(f *cfb.File, w *child.Work, storage string) (Project, error) {
	root := strings.TrimSuffix(storage[:len(storage)-len("VBA")], "/")
	p := Project{Path: root}
	streams := map[string][]byte{} // by lower-case name
	var order []string
	for _, e := range f.Entries {
		dir, name := split(e.Path)
		if e.Storage {
			continue
		}
		switch {
		case dir == storage && len(order) < maxModules:
			b := f.Read(e, maxStream)
			if err := w.Charge(len(b)); err != nil {
				return p, err
			}
			if key := strings.ToLower(name); streams[key] == nil {
				streams[key] = b
				order = append(order, name)
			}
		case dir == root && strings.EqualFold(name, "PROJECT"):
			p.Locked = locked(f.Read(e, 64<<10))
		case strings.HasPrefix(dir, root) && dir != root && (name == "o" || name == "f" || strings.HasSuffix(name, "VBFrame")):
			b := f.Read(e, 1<<20)
			if err := w.Charge(len(b)); err != nil {
				return p, err
			}
			if len(p.Forms) < maxSource {
				p.Forms += Strings(b, 4)
			}
		}
	}
	p.Names = streams["_vba_project"]
	codepage, listed := directory(streams["dir"], w)
	known := map[string]bool{}
	for _, m := range listed {
		body, ok := streams[strings.ToLower(m.stream)]
		known[strings.ToLower(m.stream)] = true
		if !ok {
			p.Modules = append(p.Modules, Module{Name: m.name, Broken: "its stream is gone"})
			continue
		}
		at := min(int64(m.offset), int64(len(body)))
		mod := source(body[at:], codepage)
		if mod.Broken != "" {
			if other := anySource(body, codepage); other.Source != "" {
				mod = other
			}
		}
		mod.Name, mod.Cache = m.name, int(at)
		if err := w.Charge(len(mod.Source)); err != nil {
			return p, err
		}
		p.Modules = append(p.Modules, mod)
	}
	// Modules that the directory doesn't name, or all where it can't be read.
	for _, name := range order {
		key := strings.ToLower(name)
		if known[key] || key == "dir" || strings.HasPrefix(key, "_vba_project") || strings.HasPrefix(key, "__srp_") {
			continue
		}
		if mod := anySource(streams[key], codepage); mod.Source != "" {
			mod.Name = name
			if err := w.Charge(len(mod.Source)); err != nil {
				return p, err
			}
			p.Modules = append(p.Modules, mod)
		}
	}
	return p, nil
}

// listed is a module as the directory names it.
type listed struct {
	name, stream string
	offset       uint32
}

// directory reads the dir stream, [MS-OVBA] 2.3.4.2.
func directory(b []byte, w *child.Work) (codepage string, out []listed) {
	codepage = "windows-1252"
	dir, _ := Decompress(b, maxStream)
	if w.Charge(len(dir)) != nil {
		return codepage, nil
	}
	le := binary.LittleEndian
	var now *listed
	for len(dir) >= 6 && len(out) < maxModules {
		id, size := le.Uint16(dir), int64(le.Uint32(dir[2:]))
		if id == 0x0009 { // PROJECTVERSION: the size leaves out the minor version
			size = 6
		}
		dir = dir[6:]
		data := dir[:min(size, int64(len(dir)))]
		dir = dir[len(data):]
		switch id {
		case 0x0003:
			if len(data) >= 2 {
				codepage = "windows-" + strconv.Itoa(int(le.Uint16(data)))
				if !charset.Known(codepage) {
					codepage = "windows-1252"
				}
			}
		case 0x0019:
			out = append(out, listed{name: decode(codepage, data)})
			now = &out[len(out)-1]
			now.stream = now.name
		case 0x001A:
			if now != nil {
				now.stream = decode(codepage, data)
			}
		case 0x0032:
			if now != nil && len(data) >= 2 {
				now.stream = decode("utf-16le", data)
			}
		case 0x0031:
			if now != nil && len(data) >= 4 {
				now.offset = le.Uint32(data)
			}
		}
	}
	return codepage, out
}

func source(b []byte, codepage string) Module {
	text, err := Decompress(b, maxSource)
	m := Module{Source: decode(codepage, text)}
	if err != nil {
		m.Broken = err.Error()
	}
	return m
}

// anySource looks for a source where nobody says at which place it begins: every
// module's begins with the word Attribute.
func anySource(b []byte, codepage string) Module {
	i := bytes.Index(b, []byte("\x00Attribut"))
	if i < 3 {
		return Module{}
	}
	m := source(b[i-3:], codepage)
	m.Cache = i - 3
	return m
}

func decode(label string, b []byte) string {
	s, _ := charset.Decode(label, b)
	return s
}

// locked reads the PROJECT stream: the value of DPB is longer where it holds the
// hash of a password, [MS-OVBA] 2.3.1.16.
func locked(b []byte) bool {
	_, v, ok := strings.Cut(string(b), "DPB=\"")
	v, _, _ = strings.Cut(v, "\"")
	return ok && len(v) > 40
}

func split(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// Strings joins the runs of at least n printable characters, in ASCII or UTF-16,
// one a line.
func Strings(b []byte, n int) string {
	var out strings.Builder
	run := []byte{}
	flush := func() {
		if len(run) >= n {
			out.Write(run)
			out.WriteByte('\n')
		}
		run = run[:0]
	}
	for i := 0; i < len(b); i++ {
		c := b[i]
		if ' ' <= c && c < 0x7F || c == '\t' {
			run = append(run, c)
			if i+3 < len(b) && b[i+1] == 0 && b[i+3] == 0 && ' ' <= b[i+2] && b[i+2] < 0x7F {
				i++
			}
			continue
		}
		flush()
	}
	flush()
	return out.String()
}

// State hands a project over as facts, links and text.
func (p *Project) State(w *child.Work) {
	w.Mark(inspect.Macro)
	var names []string
	var all strings.Builder
	for _, m := range p.Modules {
		names = append(names, m.Name)
		all.WriteString(m.Source)
		all.WriteByte('\n')
	}
	text := all.String()
	w.Fact(inspect.MacroCode, strings.Join(names, ", "))
	if p.Locked {
		w.Fact(inspect.MacroLocked, "password")
	}
	for _, s := range p.stomped(text) {
		w.Fact(inspect.MacroStomped, s)
	}
	code := look(text)
	for _, a := range code.autorun {
		w.Fact(inspect.MacroAutorun, a)
	}
	for _, r := range code.runs {
		w.Fact(inspect.CodeRuns, r)
	}
	if code.reckoned {
		w.Fact(inspect.CodeObfuscated, "class of an object")
	}
	script.Look(text).State(w)
	if p.Forms != "" {
		// Only what a form holds for the code: its own labels run nothing.
		if f := script.Look(p.Forms); len(f.URLs) > 0 || len(f.Calls) > 0 {
			f.State(w)
		}
	}
	w.Text(inspect.OriginScript, text)
}

// largestEmpty is the size in bytes of the compiled form of a module without code,
// with room to spare.
const largestEmpty = 3 << 10

// stomped says what speaks for a source that was taken away.
func (p *Project) stomped(text string) (out []string) {
	for _, m := range p.Modules {
		code := strings.TrimSpace(m.Source) != ""
		only := onlyAttributes(m.Source)
		switch {
		case !code && m.Cache > 0:
			out = append(out, m.Name+": no source")
		case only && m.Cache > largestEmpty:
			out = append(out, m.Name+": "+strconv.Itoa(m.Cache)+" bytes compiled from an empty source")
		}
	}
	// The compiled form names what it calls. A single name may be a leftover of code
	// that was deleted; a way to start together with something to start is not.
	names, low := strings.ToLower(string(p.Names)), strings.ToLower(text)
	missing := func(list []string) string {
		for _, n := range list {
			if strings.Contains(names, n) && !strings.Contains(low, n) {
				return n
			}
		}
		return ""
	}
	if a, b := missing(starters), missing([]string{"shell", "createobject", "urldownloadtofile", "getobject", "callbyname"}); a != "" && b != "" && len(out) == 0 {
		out = append(out, "compiled "+a+" and "+b+" stand in no source")
	}
	return out
}

func onlyAttributes(src string) bool {
	for l := range strings.Lines(src) {
		l = strings.TrimSpace(l)
		if l != "" && !strings.HasPrefix(l, "Attribute ") && !strings.HasPrefix(l, "Option ") {
			return false
		}
	}
	return true
}
