package main

// target is checks to be taken out, and the tests that must miss them.
type target struct {
	pkg    string   // path below the module
	files  []string // none: all but tests
	only   []string // names of functions or methods; none: all
	stages []stage  // in turn, until one fails
}

// stage is tests of one package.
type stage struct {
	pkg   string
	run   string // pattern of the tests' names; empty: all
	short bool   // without the tests that take long
}

func targets() []target {
	const (
		lane   = "gate/lane"
		mirror = "gate/mirror"
		web    = "gate/web"
		cli    = "gate/cli"
		shop   = "gate/shop"
		ours   = "Scripts|HostileRequests|SlowClients|Signed|Signs|EachConfirm|EveryAnswer|OnlyConfirm|ParseSales"
	)
	return []target{
		{
			pkg: "gate",
			files: []string{
				"body.go", "clock.go", "confirm.go", "currency.go", "items.go", "link.go", "loss.go",
				"missing.go", "order.go", "sale.go", "text.go", "url.go",
			},
			stages: []stage{{pkg: "gate"}, {pkg: lane}, {pkg: web}, {pkg: cli, run: ours}},
		},
		{
			pkg: lane, files: []string{"ask.go", "catalogue.go", "lane.go", "missing.go", "queue.go"},
			stages: []stage{{pkg: lane}, {pkg: web}, {pkg: cli, run: ours}},
		},
		{
			pkg: "gate", files: []string{"fold.go", "record.go"},
			stages: []stage{{pkg: "gate"}, {pkg: "gate/store", run: "Record|Entry|Ledger|Scripts"}, {pkg: mirror}},
		},
		{pkg: mirror, stages: []stage{{pkg: mirror}, {pkg: lane}}},
		{
			pkg: "gate/store", files: []string{"verdict.go"},
			stages: []stage{{pkg: "gate/store", run: "AReply|AYes|Grant|ShopsWord|ModelSays"}},
		},
		{
			pkg: "gate/store", files: []string{"clock.go"},
			stages: []stage{{pkg: "gate/store", run: "Clock|Doubt|Future"}},
		},
		{pkg: "gate/settle", stages: []stage{{pkg: "gate/settle", short: true}, {pkg: "gate/settle"}}},
		{pkg: "gate/audit", stages: []stage{{pkg: "gate/audit"}}},
		{pkg: "gate/portone", stages: []stage{
			{pkg: "gate/portone", short: true},
			{pkg: "gate/portone"},
			{pkg: web},
			{pkg: cli, run: ours},
		}},
		{
			pkg:   shop,
			files: []string{"ask.go", "health.go", "lastword.go", "post.go", "reason.go", "send.go", "tally.go"},
			stages: []stage{{
				pkg: shop,
				run: "Ask|Message|Hinder|Reason|Character|Status|Hangs|Header|" +
					"Connection|Protocols|Secrets|Health|Prob|Row|Address|Death",
			}},
		},
		{pkg: web, stages: []stage{{pkg: web}, {pkg: cli, run: ours}}},
		{pkg: cli, files: []string{"secrets.go"}, stages: []stage{{pkg: cli, run: ours}}},
		{
			pkg: cli, only: []string{"Validate"},
			stages: []stage{{pkg: cli, run: "CannotBeMeant"}, {pkg: cli, run: ours}},
		},
		{pkg: "luascripts", stages: []stage{
			{pkg: "luascripts", run: "Golden"},
			{pkg: "luascripts"},
			{pkg: "gate/store"},
			{pkg: cli, run: ours},
		}},
	}
}
