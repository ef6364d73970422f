package cli

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

// vector is one of the links that every implementation must be able to make.
type vector struct{ Name, Link string }

const vectorsFile = "../testdata/links.json"

// Each program runs the page's function on every vector of the file that it
// is given, and prints a link a line.

const goProgram = `package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	var vectors []struct {
		Base, Kid, Key, Sale, Items, Buyer, Order string
		Amount                                    json.Number
		Expires                                   int64
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		panic(err)
	}
	for _, v := range vectors {
		link, err := confirmURL(v.Base, v.Kid, v.Key, v.Sale, v.Items, v.Buyer, v.Order, v.Amount.String(), v.Expires)
		if err != nil {
			panic(err)
		}
		fmt.Println(link)
	}
}

`

const nodeProgram = `
for (const v of JSON.parse(require("node:fs").readFileSync(process.argv[2]))) {
  console.log(confirmUrl(v.base, v.kid, v.key, v.sale, v.items, v.buyer, v.order, v.amount ?? "", v.expires));
}
`

const pythonProgram = `
import json, sys
for v in json.load(open(sys.argv[1], encoding="utf-8")):
    amount = "" if v["amount"] is None else v["amount"]
    print(confirm_url(v["base"], v["kid"], v["key"], v["sale"], v["items"], v["buyer"], v["order"], amount, v["expires"]))
`

func TestThePagesFunctionsSignLinks(t *testing.T) {
	t.Parallel()
	f := func(name, block, file string, program func(code string) string, command ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), file)
			if err := os.WriteFile(path, []byte(program(signingFunction(t, block))), 0o600); err != nil {
				t.Fatal(err)
			}
			compareLinks(t, redistest.Require(t, command[0]), append(command[1:], path)...)
		})
	}
	f("Go", "go", "main.go", func(code string) string { return goProgram + code }, "go", "run")
	f("Node", "js", "sign.cjs", func(code string) string { return code + nodeProgram }, "node")
	f("Python", "python", "sign.py", func(code string) string { return code + pythonProgram }, "python3")
}

// signingFunction returns the page's function to sign a link.
func signingFunction(t *testing.T, language string) string {
	t.Helper()
	return pageBlock(t, "docs/integrate.md", language, `(func|function|def) confirm_?(url|Url|URL)\(`)
}

// pageBlock returns the page's first block of code in the language that has the
// pattern in it.
func pageBlock(t *testing.T, page, language, pattern string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", page))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(text), -1)
	for _, b := range blocks {
		if regexp.MustCompile(pattern).MatchString(b[1]) {
			return b[1]
		}
	}
	t.Fatalf("%s has no block in %s with %s", page, language, pattern)
	return ""
}

// compareLinks runs the program on the vectors and compares what it prints.
func compareLinks(t *testing.T, program string, args ...string) {
	t.Helper()
	text, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors) == 0 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, append(args, vectorsFile)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	links := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(links) != len(vectors) {
		t.Fatalf("%d links for %d vectors:\n%s", len(links), len(vectors), out)
	}
	for i, v := range vectors {
		if got, want := meaning(t, links[i]), meaning(t, v.Link); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", v.Name, got, want)
		}
	}
}

// meaning returns the link in one spelling: a space may be written as %20 or +,
// and an empty value be left out.
func meaning(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		t.Fatalf("%s: %v", link, err)
	}
	for name, values := range query {
		if len(values) == 1 && values[0] == "" {
			delete(query, name)
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

func TestTheSaleFilesToCopyAreSaleFiles(t *testing.T) {
	t.Parallel()
	example, err := readSales("../../deploy/sales.yaml")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := parseSales("README.md", []byte(pageBlock(t, "README.md", "yaml", "^sales:")))
	if err != nil {
		t.Fatal(err)
	}
	if len(example) != 1 || len(readme) != 1 || len(changes(example[0], readme[0])) != 0 {
		t.Errorf("the README's sale differs from deploy/sales.yaml: %v", changes(example[0], readme[0]))
	}
}
