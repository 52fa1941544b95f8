package media

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"unicode/utf8"
)

// addition is one row of an uploaded zip: a file's new content, or its deletion.
type addition struct {
	name   string
	member *zip.File // nil for a deletion
}

// readListing reads the listing of an uploaded zip and checks everything that
// can be checked without unpacking: all errors are the sender's.
func readListing(r io.ReaderAt, size, maxFile int64) ([]addition, error) {
	if size > maxFile+slackBytes {
		return nil, fmt.Errorf("%w: zip of %d bytes", ErrBadRequest, size)
	}
	bounded := &boundedReaderAt{r: r, left: maxDirectoryRead}
	z, err := zip.NewReader(bounded, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // members' names are keys, never paths
		if bounded.err != nil && !errors.Is(bounded.err, io.EOF) && !errors.Is(bounded.err, errDirectory) {
			return nil, fmt.Errorf("read zip: %w", bounded.err)
		}
		return nil, fmt.Errorf("%w: %v", ErrBadRequest, err)
	}
	bounded.left = -1 // the members have limits of their own
	members := make(map[string]*zip.File, len(z.File))
	for _, f := range z.File {
		if members[f.Name] != nil {
			return nil, fmt.Errorf("%w: zip has two members %.20q", ErrBadRequest, f.Name)
		}
		members[f.Name] = f
	}
	meta := members["_meta"]
	if meta == nil {
		return nil, fmt.Errorf("%w: zip has no listing", ErrBadRequest)
	}
	raw, err := readMember(meta, maxMetaBytes)
	if err != nil {
		return nil, err
	}
	return parseListing(raw, members, maxFile)
}

// parseListing reads [[name, member or null or ""], …].
func parseListing(raw []byte, members map[string]*zip.File, maxFile int64) ([]addition, error) {
	var rows [][]*string
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("%w: listing is not UTF-8", ErrBadRequest)
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, fmt.Errorf("%w: listing: %v", ErrBadRequest, err)
	}
	if rows == nil {
		return nil, fmt.Errorf("%w: listing is null", ErrBadRequest)
	}
	if len(rows) > MaxRows {
		return nil, fmt.Errorf("%w: %d rows in a zip", ErrBadRequest, len(rows))
	}
	list := make([]addition, 0, len(rows))
	var total uint64
	for _, row := range rows {
		if len(row) != 2 || row[0] == nil {
			return nil, fmt.Errorf("%w: listing has a row that is no pair", ErrBadRequest)
		}
		a := addition{name: *row[0]}
		if err := checkName(a.name); err != nil {
			return nil, err
		}
		if row[1] != nil && *row[1] != "" {
			if a.member = members[*row[1]]; a.member == nil {
				return nil, fmt.Errorf("%w: zip has no member %.20q", ErrBadRequest, *row[1])
			}
			n := a.member.UncompressedSize64
			if n == 0 || n > uint64(maxFile) { //nolint:gosec // positive
				return nil, fmt.Errorf("%w: file of %d bytes", ErrBadRequest, n)
			}
			if total += n; total > uint64(maxFile)+slackBytes { //nolint:gosec // positive
				return nil, fmt.Errorf("%w: files of more than %d bytes in a zip", ErrBadRequest, total)
			}
		}
		list = append(list, a)
	}
	return list, nil
}

// readMember reads a small member into memory.
func readMember(f *zip.File, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	rc, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrBadRequest, err)
	}
	defer rc.Close()
	n, err := io.Copy(&buf, io.LimitReader(rc, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrBadRequest, err)
	}
	if n > limit {
		return nil, fmt.Errorf("%w: listing of more than %d bytes", ErrBadRequest, limit)
	}
	return buf.Bytes(), nil
}

// readWhole unpacks a member into buf, which is as long as the zip says the
// member is.
func readWhole(f *zip.File, buf []byte) error {
	if f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64 {
		w := bytes.NewBuffer(buf[:0])
		return copyMember(w, f, make([]byte, min(len(buf)+1, 4<<10)))
	}
	raw, err := f.OpenRaw()
	if err == nil {
		_, err = io.ReadFull(raw, buf)
	}
	var disk *fs.PathError
	switch {
	case errors.As(err, &disk):
		return err // as in copyMember
	case err != nil:
		return fmt.Errorf("%w: member %.20q: %v", ErrBadRequest, f.Name, err)
	}
	return checkContent(f, buf)
}

// checkContent holds a member's content to its checksum.
func checkContent(f *zip.File, content []byte) error {
	if crc32.ChecksumIEEE(content) != f.CRC32 {
		return fmt.Errorf("%w: member %.20q: %v", ErrBadRequest, f.Name, zip.ErrChecksum)
	}
	return nil
}

// memory is what is read from r, if all of it is in memory.
func memory(r io.ReaderAt) []byte {
	if m, ok := r.(interface{ Bytes() []byte }); ok {
		return m.Bytes()
	}
	return nil
}

// plainContent is the content of a member that is not compressed, in the zip
// itself.
func plainContent(f *zip.File, zipped []byte) ([]byte, bool) {
	if f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64 {
		return nil, false
	}
	from, err := f.DataOffset()
	if size := uint64(len(zipped)); err != nil || from < 0 || uint64(from) > size || f.UncompressedSize64 > size-uint64(from) {
		return nil, false
	}
	return zipped[from:][:f.UncompressedSize64], true
}

// copyMember unpacks a member into w. It reads no more than the size that the
// zip declares; the zip reader checks the CRC at the end, unless that is 0, which
// it takes for none: then it is checked here.
func copyMember(w io.Writer, f *zip.File, buf []byte) error {
	rc, err := f.Open()
	if err != nil {
		return fmt.Errorf("%w: %v", ErrBadRequest, err)
	}
	defer rc.Close()
	want := int64(f.UncompressedSize64) //nolint:gosec // checked against the limit
	src := &sourceErr{r: rc}
	crc := crc32.NewIEEE()
	if f.CRC32 == 0 {
		w = io.MultiWriter(w, crc)
	}
	n, err := io.CopyBuffer(onlyWriter{w}, io.LimitReader(src, want+1), buf)
	var disk *fs.PathError
	switch {
	case errors.As(src.err, &disk):
		return src.err // the spooled zip cannot be read: not the client's fault
	case src.err != nil:
		return fmt.Errorf("%w: member %.20q: %v", ErrBadRequest, f.Name, src.err)
	case err != nil:
		return err // the disk's
	case n != want:
		return fmt.Errorf("%w: member %.20q is not of the size it declares", ErrBadRequest, f.Name)
	case f.CRC32 == 0 && crc.Sum32() != 0:
		return fmt.Errorf("%w: member %.20q: %v", ErrBadRequest, f.Name, zip.ErrChecksum)
	}
	return nil
}

var errDirectory = errors.New("zip directory too large")

// boundedReaderAt bounds what reading a zip's directory may cost.
type boundedReaderAt struct {
	r    io.ReaderAt
	left int64 // negative: no bound
	err  error
}

func (b *boundedReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if b.left >= 0 {
		if b.left -= int64(len(p)); b.left < 0 {
			b.left, b.err = 0, errDirectory
			return 0, errDirectory
		}
	}
	n, err := b.r.ReadAt(p, off)
	if err != nil {
		b.err = err
	}
	return n, err
}

// sourceErr tells a failure of the reader from one of the writer.
type sourceErr struct {
	r   io.Reader
	err error
}

func (s *sourceErr) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// onlyReader and onlyWriter hide ReadFrom and WriteTo, which would not use the
// buffer at hand.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)
