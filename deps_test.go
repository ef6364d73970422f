package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

// What a part works with is not mixed with its settings: a reader sees what may be passed on, compared and shown.
func TestOptionsAreSettingsAndDepsAreNot(t *testing.T) {
	t.Parallel()
	structs := map[string]int{}
	for _, path := range goFiles(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		faults, found := mixed(t, text)
		for _, fault := range faults {
			t.Errorf("%s: %s", path, fault)
		}
		structs["Options"] += found["Options"]
		structs["Deps"] += found["Deps"]
	}
	if structs["Options"] < 5 || structs["Deps"] < 5 {
		t.Errorf("looked at %v structs only", structs)
	}
}

func TestDependenciesAmongSettingsAreFound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		faults     int
	}{
		{"settings", "type Options struct { Who string; Timeout time.Duration; Sales []gate.Sale; Credentials }", 0},
		{"dependencies", "type Deps struct { Store Store; Sales func() []string; Metrics *Metrics }", 0},
		{"a clock", "type Options struct { Now func() time.Time }", 1},
		{"a log and metrics", "type SettlerOptions struct { Log *slog.Logger; Metrics *Metrics; Who string }", 2},
		{"an interface of the package's", "type Store interface { Sale() }\ntype Options struct { Store Store }", 1},
		{"a transport", "type Options struct { Transport http.RoundTripper }", 1},
		{"settings among dependencies", "type NotifierDeps struct { Who string; Most int; Wait time.Duration }", 3},
		{"another struct", "type parts struct { Log *slog.Logger; who string }", 0},
	} {
		if faults, _ := mixed(t, []byte("package p\n\n"+test.text+"\n")); len(faults) != test.faults {
			t.Errorf("%s: %q, want %d faults", test.name, faults, test.faults)
		}
	}
}

// mixed says which fields of a file's Options are dependencies, and which of its Deps are
// settings. It counts the structs of both kinds.
func mixed(t *testing.T, text []byte) (faults []string, found map[string]int) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "", text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	types, interfaces := map[string]*ast.StructType{}, []string{"http.RoundTripper", "io.Writer"}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			switch is := spec.Type.(type) {
			case *ast.StructType:
				types[spec.Name.Name] = is
			case *ast.InterfaceType:
				interfaces = append(interfaces, spec.Name.Name)
			}
		}
		return true
	})
	found = map[string]int{}
	for name, is := range types {
		for _, field := range is.Fields.List {
			switch of := typeName(field.Type); {
			case strings.HasSuffix(name, "Options") && (of == "" || slices.Contains(interfaces, of)):
				faults = append(faults, name+" has a dependency, "+fieldName(field)+": it belongs into a Deps")
			case strings.HasSuffix(name, "Deps") && slices.Contains(plain(), of):
				faults = append(faults, name+" has a setting, "+fieldName(field)+": it belongs into an Options")
			}
		}
		for _, kind := range []string{"Options", "Deps"} {
			if strings.HasSuffix(name, kind) {
				found[kind]++
			}
		}
	}
	return faults, found
}

// typeName returns the name of a value's type, "" where it is a function or points to something.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return typeName(e.X) + "." + e.Sel.Name
	case *ast.ArrayType:
		return typeName(e.Elt)
	case *ast.MapType:
		return typeName(e.Value)
	}
	return ""
}

func plain() []string {
	return []string{"string", "bool", "int", "int64", "uint64", "float64", "time.Duration", "time.Time"}
}

func fieldName(f *ast.Field) string {
	if len(f.Names) == 0 {
		return typeName(f.Type)
	}
	return f.Names[0].Name
}
