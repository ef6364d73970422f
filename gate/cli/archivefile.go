package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

// archiveVersion is of the layout of an archive's lines.
const archiveVersion = 1

// archiveLine is one line of an archive: one of its fields is there.
type archiveLine struct {
	Head  *archiveHead    `json:"head,omitempty"`
	Order *gate.OrderView `json:"order,omitempty"`
	Entry *gate.EntryView `json:"entry,omitempty"`
	End   *archiveEnd     `json:"end,omitempty"`
}

type archiveHead struct {
	Version int           `json:"version"`
	Sale    gate.SaleForm `json:"sale"`
	Paused  bool          `json:"paused"`
	Report  gate.SaleView `json:"report"`
}

type archiveEnd struct {
	Orders  int64  `json:"orders"`
	Entries int64  `json:"entries"`
	Sum     string `json:"sha256"` // of all lines before
}

// archived is what an archive has.
type archived struct {
	Sale     string
	Run, Seq int64 // Seq is of the newest ledger entry
	archiveEnd
}

// writeArchive writes a sale's archive.
func writeArchive(ctx context.Context, file *os.File, compress bool, s *store.Store, state *gate.State,
	progress func(string, int64),
) (archived, error) {
	a := archived{Sale: state.Name, Run: state.Run, Seq: state.Seq}
	buffered := bufio.NewWriterSize(file, 1<<20)
	var out io.Writer = buffered
	end := func() error { return nil }
	if compress {
		zipped := gzip.NewWriter(buffered)
		out, end = zipped, zipped.Close
	}
	sum := sha256.New()
	lines := json.NewEncoder(io.MultiWriter(out, sum))
	if err := lines.Encode(archiveLine{Head: &archiveHead{
		archiveVersion, state.Form(), state.Paused,
		state.View(),
	}}); err != nil {
		return a, err
	}
	seen := map[string]bool{}
	err := s.EachOrder(ctx, state.Name, func(id string, o gate.Order, fault error) error {
		if fault != nil || seen[id] {
			return fault
		}
		seen[id] = true
		a.Orders++
		progress("orders", a.Orders)
		return lines.Encode(archiveLine{Order: new(o.View())})
	})
	if err != nil {
		return a, err
	}
	for e, err := range s.Ledger(ctx, state.Name, 0) {
		if err != nil {
			return a, err
		}
		a.Entries++
		progress("ledger entries", a.Entries)
		if err := lines.Encode(archiveLine{Entry: new(e.View())}); err != nil {
			return a, err
		}
	}
	a.Sum = hex.EncodeToString(sum.Sum(nil))
	last := json.NewEncoder(out).Encode(archiveLine{End: &a.archiveEnd})
	return a, errors.Join(last, end(), buffered.Flush(), file.Sync())
}

// checkArchive reads an archive. It returns an error unless it is whole: every
// line can be read, the sum is right, all orders that the sale counts are there,
// and the ledger goes from its beginning to where the sale was.
func checkArchive(path string, progress func(string, int64)) (archived, error) {
	file, err := os.Open(path)
	if err != nil {
		return archived{}, err
	}
	defer file.Close()
	var in io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(file); err != nil {
			return archived{}, fmt.Errorf("the archive is not compressed as its name says: %w", err)
		}
	}
	lines, sum := bufio.NewReaderSize(in, 1<<20), sha256.New()
	var c archiveCheck
	for read := int64(1); ; read++ {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return archived{}, fmt.Errorf("the archive is cut off in line %d: %w", read, err)
		}
		progress("lines", read)
		var l archiveLine
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&l); err != nil {
			return archived{}, fmt.Errorf("line %d of the archive cannot be read: %w", read, err)
		}
		if l.End == nil {
			sum.Write(line)
			if err := c.take(&l); err != nil {
				return archived{}, fmt.Errorf("line %d of the archive: %w", read, err)
			}
			continue
		}
		if _, err := lines.ReadByte(); !errors.Is(err, io.EOF) {
			return archived{}, fmt.Errorf("there is more behind the archive's end in line %d", read)
		}
		return c.end(l.End, hex.EncodeToString(sum.Sum(nil)))
	}
}

// archiveCheck is what has been read of an archive.
type archiveCheck struct {
	head            *archiveHead
	orders, entries int64
	seq             int64
}

func (c *archiveCheck) take(l *archiveLine) error {
	switch {
	case c.head == nil:
		if l.Head == nil || l.Head.Version != archiveVersion {
			return fmt.Errorf("it is not the head of an archive of version %d", archiveVersion)
		}
		c.head = l.Head
	case l.Order != nil && c.entries == 0:
		c.orders++
	case l.Entry != nil:
		if c.entries == 0 && l.Entry.Kind != "create" || c.entries > 0 && l.Entry.Seq != c.seq+1 {
			return fmt.Errorf("ledger entry %d does not follow entry %d: flashgate audit tells what the sale lacks",
				l.Entry.Seq, c.seq)
		}
		c.entries, c.seq = c.entries+1, l.Entry.Seq
	default:
		return errors.New("it is not in its place")
	}
	return nil
}

func (c *archiveCheck) end(end *archiveEnd, sum string) (archived, error) {
	if c.head == nil {
		return archived{}, errors.New("the archive has no head")
	}
	r := &c.head.Report
	counted := r.Orders.All()
	switch {
	case sum != end.Sum:
		return archived{}, fmt.Errorf("the archive has the sum %s, and its lines %s: it was changed", end.Sum, sum)
	case end.Orders != c.orders || end.Entries != c.entries:
		return archived{}, fmt.Errorf("the archive ends with %d orders and %d ledger entries, and has %d and %d",
			end.Orders, end.Entries, c.orders, c.entries)
	case counted != c.orders:
		return archived{}, fmt.Errorf("the sale counts %d orders, and the archive has %d: flashgate audit tells what "+
			"the sale lacks", counted, c.orders)
	case r.Seq != c.seq:
		return archived{}, fmt.Errorf("the sale was at ledger entry %d, and the archive ends with entry %d", r.Seq,
			c.seq)
	}
	return archived{Sale: r.Sale, Run: r.Run, Seq: r.Seq, archiveEnd: *end}, nil
}
