// Package luascripts holds the Lua scripts that change a sale in Redis, one
// file for each transition. Each file's head lists its KEYS, ARGV and reply.
package luascripts

import (
	"crypto/sha1"
	"embed"
	"encoding/hex"
)

//go:embed *.lua
var files embed.FS

// Script is one Lua script, ready to be sent.
type Script struct {
	Name   string // of its file, without ".lua"
	Source string
	SHA1   string // by which EVALSHA calls it, in hexadecimal
}

// The scripts.
var (
	Confirm   = load("confirm")
	Grant     = load("grant")
	Create    = load("loss", "create")
	Configure = load("configure")
	Delete    = load("loss", "delete")
	Losses    = load("loss", "losses")
	Forget    = load("forget")
	Sale      = load("sale")
	Touch     = load("touch")
	Claim     = load("claim")
	Keep      = load("keep")
	Unfold    = load("unfold")
	Aside     = load("aside")
	Hasten    = load("hasten")
	Retry     = load("retry")
	Look      = load("look")
	Again     = load("again")
	Settle    = load("settle")
	Lease     = load("lease")
	Note      = load("note")
	Contest   = load("contest")
	Brake     = load("brake")
	Unbrake   = load("unbrake")
)

// load reads a script, which is in the last of the files: what they share stands
// before it, and the prelude before all.
func load(names ...string) Script {
	source := read("prelude")
	for _, name := range names {
		source += "\n" + read(name)
	}
	sum := sha1.Sum([]byte(source))
	return Script{Name: names[len(names)-1], Source: source, SHA1: hex.EncodeToString(sum[:])}
}

func read(name string) string {
	text, err := files.ReadFile(name + ".lua")
	if err != nil {
		panic("luascripts: " + err.Error()) // a file that this package embeds
	}
	return string(text)
}
