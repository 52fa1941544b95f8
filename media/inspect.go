package media

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// Inspection of one user's media, for the commands that look at a data directory.
// It works on databases that nobody else uses: private copies, or a stopped
// server's. Conversion, in convert.go, begins with it.

// DatabaseNames are the names of the media databases of all servers, in a
// user's folder; not all that are there matter (Report.Source).
func DatabaseNames() []string {
	return []string{"collection.media.server.db", "media.db", "collection.media.db2", "collection.media.db"}
}

// FolderNames are the names of the folders that hold media files.
func FolderNames() []string { return []string{folderNative, folderOfficial} }

// Report is what Inspect finds.
type Report struct {
	// Source is the name of the database that counts; "" if there is none, and
	// the rows were made from the files.
	Source string
	// Folder is the name of the folder of the files.
	Folder  string
	LastUSN int32
	// Rows are in order of usn and name.
	Rows []Row
	// Stray are names of regular files in the folder that no row speaks of.
	Stray []string
	// Unclean is true if the server was killed while it used the database.
	Unclean bool
}

// Row is a row of the database with its file.
type Row struct {
	Change
	// Path is the file's, below the user's folder; "" if the row is of a deleted
	// file, or if the file is missing.
	Path    string
	Size    int64
	ModTime time.Time
}

// Files counts the rows of files that are not deleted.
func (r *Report) Files() (n int) {
	for _, row := range r.Rows {
		if row.Sum != "" {
			n++
		}
	}
	return n
}

// Missing lists the rows whose file is not there.
func (r *Report) Missing() (names []string) {
	for _, row := range r.Rows {
		if row.Sum != "" && row.Path == "" {
			names = append(names, row.Name)
		}
	}
	return names
}

// Inspect reads a user's media: the databases in the folder dbs, which must be
// private, settled copies, and the files in the folder dir. The two may be one.
// It changes nothing in dir. It hashes nothing, unless there is no database.
func Inspect(ctx context.Context, dbs, dir string) (*Report, error) {
	s := newStore("", Options{}.withDefaults())
	r := &Report{Folder: folderNative}
	pending := map[string]string{} // name -> incoming file that belongs to it
	var list []inspected
	var err error
	src := findSource(dbs)
	if _, serr := os.Stat(dbPath(dbs)); serr == nil {
		r.Source = filepath.Base(dbPath(dbs))
		list, err = r.readOwn(ctx, dbs, pending)
	} else if src == sourceOfficial {
		r.Source, r.Folder = filepath.Base(officialPath(dbs)), folderOfficial
		list, err = r.readOfficial(ctx, s, dbs)
	} else if src == sourceDB2 {
		r.Source = filepath.Base(db2Path(dbs))
		list, err = r.readDB2(ctx, s, dbs)
	} else {
		list, err = r.readFiles(ctx, dbs, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("inspect media: %w", err)
	}
	return r, r.matchFiles(dir, list, pending)
}

// inspected is a row with the name under which it is stored.
type inspected struct {
	Change
	disk string
}

func (r *Report) readOwn(ctx context.Context, dbs string, pending map[string]string) (list []inspected, err error) {
	db, err := sqlite.Open(ctx, dbPath(dbs), sqlite.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var ours int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE name IN ('ankisyncd_file','ankisyncd_journal','ankisyncd_meta')`).Scan(&ours); err != nil {
		return nil, err
	}
	query := `SELECT fname, usn, coalesce(csum, ''), fname FROM media ORDER BY usn, fname`
	if ours == 3 {
		query = `SELECT m.fname, m.usn, coalesce(m.csum, ''), coalesce(f.disk, m.fname) FROM media m
			LEFT JOIN ankisyncd_file f ON f.fname = m.fname AND f.usn = m.usn ORDER BY m.usn, m.fname`
		if err := r.readOwnState(ctx, db, pending); err != nil {
			return nil, err
		}
	}
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var in inspected
		var usn int64
		if err := rows.Scan(&in.Name, &usn, &in.Sum, &in.disk); err != nil {
			return nil, err
		}
		in.USN = usn32(usn)
		r.LastUSN = max(r.LastUSN, in.USN)
		list = append(list, in)
	}
	return list, rows.Err()
}

// readOwnState reads what our own tables know beyond the rows.
func (r *Report) readOwnState(ctx context.Context, db *sql.DB, pending map[string]string) error {
	var last int64
	var boot string
	err := db.QueryRowContext(ctx, `SELECT last_usn, folder, boot FROM ankisyncd_meta`).Scan(&last, &r.Folder, &boot)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if !slices.Contains(FolderNames(), r.Folder) {
		return fmt.Errorf("media database names the folder %q", r.Folder)
	}
	r.LastUSN, r.Unclean = usn32(last), boot != ""
	rows, err := db.QueryContext(ctx, `SELECT j.fname, j.tmp FROM (`+journalRows+`) j JOIN media m ON m.fname = j.fname AND m.usn = j.usn WHERE j.tmp <> '' ORDER BY j.batch`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name, tmp string
		if err := rows.Scan(&name, &tmp); err != nil {
			return err
		}
		if filepath.Base(tmp) == tmp {
			pending[name] = tmp
		}
	}
	return rows.Err()
}

func (r *Report) readOfficial(ctx context.Context, s *Store, dbs string) ([]inspected, error) {
	rows, last, _, err := readOfficial(ctx, s, dbs, "")
	list := make([]inspected, 0, len(rows))
	for _, o := range rows {
		list = append(list, inspected{Change{Name: o.name, USN: usn32(o.usn), Sum: o.sum}, o.name})
	}
	r.LastUSN = usn32(last)
	return list, err
}

func (r *Report) readDB2(ctx context.Context, s *Store, dbs string) (list []inspected, err error) {
	db, err := openForeign(ctx, s, db2Path(dbs))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var last int64
	err = db.QueryRowContext(ctx, `SELECT coalesce(lastUsn, 0) FROM meta`).Scan(&last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	r.LastUSN = usn32(last)
	rows, err := db.QueryContext(ctx, `SELECT fname, coalesce(csum, '') FROM media ORDER BY fname`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		in := inspected{Change: Change{USN: r.LastUSN}}
		if err := rows.Scan(&in.Name, &in.Sum); err != nil {
			return nil, err
		}
		in.disk = in.Name
		list = append(list, in)
	}
	return list, rows.Err()
}

// readFiles makes rows as opening the folder would.
func (r *Report) readFiles(ctx context.Context, dbs, dir string) (list []inspected, err error) {
	root, err := os.OpenRoot(filepath.Join(dir, folderNative))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	r.LastUSN = usn32(ancientUSN(ctx, dbs))
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	for _, d := range entries {
		if !d.Type().IsRegular() || checkName(d.Name()) != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f, err := readDigest(root, d.Name())
		if err != nil {
			return nil, err
		}
		if f.size > 0 {
			r.LastUSN++
			list = append(list, inspected{Change{Name: d.Name(), USN: r.LastUSN, Sum: f.sum}, d.Name()})
		}
	}
	return list, nil
}

// matchFiles finds the file of each row, and the files without one.
func (r *Report) matchFiles(dir string, list []inspected, pending map[string]string) error {
	folder := filepath.Join(dir, r.Folder)
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	there := make(map[string]fs.DirEntry, len(entries))
	for _, d := range entries {
		if d.Type()&fs.ModeType == 0 || d.Type() == fs.ModeSymlink {
			there[d.Name()] = d
		}
	}
	for _, in := range list {
		row := Row{Change: in.Change}
		if in.Sum != "" {
			path := filepath.Join(r.Folder, in.disk)
			if tmp := pending[in.Name]; tmp != "" {
				if _, err := os.Lstat(filepath.Join(folder, stagingDir, tmp)); err == nil {
					path = filepath.Join(r.Folder, stagingDir, tmp)
				}
			}
			// A name that leaves the folder stands for no file.
			if fi, err := os.Stat(filepath.Join(dir, path)); filepath.Base(in.disk) == in.disk && err == nil && fi.Mode().IsRegular() {
				row.Path, row.Size, row.ModTime = path, fi.Size(), fi.ModTime()
			}
			delete(there, in.disk)
		}
		r.Rows = append(r.Rows, row)
	}
	for name := range there {
		// A link that leads nowhere, or to a folder, is no file.
		if fi, err := os.Stat(filepath.Join(folder, name)); err == nil && fi.Mode().IsRegular() {
			r.Stray = append(r.Stray, name)
		}
	}
	slices.Sort(r.Stray)
	return nil
}

// Verify hashes the files of all rows and lists those whose content is not what
// their row says. each, if not nil, is called after each file.
func (r *Report) Verify(ctx context.Context, dir string, each func()) (damaged []string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for _, row := range r.Rows {
		if row.Path == "" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d, err := readDigest(root, filepath.ToSlash(row.Path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err != nil || d.sum != strings.ToLower(row.Sum) {
			damaged = append(damaged, row.Name)
		}
		if each != nil {
			each()
		}
	}
	return damaged, nil
}
