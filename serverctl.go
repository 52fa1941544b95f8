package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ankisyncd/ankisyncd/config"
)

// newServerCtlApp behaves as ankiserverctl.py of AnkiServer (docs/compat.md
// §4.2), with its fixed names in the working directory: production.ini, auth.db,
// collections. It departs where the original could do harm: stop sends SIGTERM,
// not SIGKILL, so that collections are closed; it does so only to a process that
// is this program; and the file with the process id, in a folder that everybody
// may write to, is neither followed as a link nor believed if it is another's.
func newServerCtlApp(arg0 string, stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	return plainApp("ankiserverctl", stdin, stdout, stderr, func(c *cli.Context) error {
		ctl := &serverCtl{arg0: arg0, stdin: stdin, stdout: stdout, stderr: stderr, pidFile: "/tmp/ankiserver.pid"}
		if p := os.Getenv("ANKISERVERCTL_PIDFILE"); p != "" {
			ctl.pidFile = p
		}
		return ctl.run(c.Context, c.Args().Slice())
	})
}

const serverCtlUsage = `usage: %s <command> [<args>]

Commands:
  start [configfile] - start the server
  debug [configfile] - start the server in debug mode
  stop               - stop the server
  adduser <username> - add a new user
  deluser <username> - delete a user
  lsuser             - list users
  passwd <username>  - change password of a user
`

type serverCtl struct {
	arg0           string
	stdin          io.Reader
	stdout, stderr io.Writer
	pidFile        string
}

func (s *serverCtl) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return s.usage(1)
	}
	ini := "production.ini"
	if len(args) > 1 {
		ini = args[1]
	}
	switch args[0] {
	case "start":
		return s.start(ini)
	case "debug":
		return s.debug(ctx, ini)
	case "stop":
		s.stop()
		return nil
	case "adduser", "deluser", "passwd", "lsuser":
		return s.users(ctx, args[0], args[1:])
	}
	return s.usage(1)
}

func (s *serverCtl) usage(code int) error {
	fmt.Fprintf(s.stdout, serverCtlUsage, s.arg0)
	if code == 0 {
		return nil
	}
	return cli.Exit("", code)
}

// say writes a line as the original does: behind the name of the program.
func (s *serverCtl) say(format string, args ...any) {
	fmt.Fprintf(s.stderr, "%s: %s\n", s.arg0, fmt.Sprintf(format, args...))
}

// command is this program serving ini, in the folder of the file.
func (s *serverCtl) command(ini string) (*exec.Cmd, error) {
	abs, err := filepath.Abs(ini)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(abs); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// By its own name: a link called ankiserverctl would come back here.
	cmd := exec.Command(self, "serve", abs) //nolint:noctx // outlives us
	cmd.Args[0] = "ankisyncd"
	cmd.Dir = filepath.Dir(abs)
	return cmd, nil
}

// start puts the server into the background. What it logs is lost, as with the
// original: a service manager, or debug, does better.
func (s *serverCtl) start(ini string) error {
	if pid, err := s.running(); err == nil {
		return fmt.Errorf("the server is running already, as process %d", pid)
	}
	cmd, err := s.command(ini)
	if err != nil {
		return err
	}
	detach(cmd)
	_ = os.Remove(s.pidFile) // of a server that is gone
	f, err := os.OpenFile(s.pidFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // the write is checked
	if err := cmd.Start(); err != nil {
		return errors.Join(err, os.Remove(s.pidFile))
	}
	if _, err := fmt.Fprintln(f, cmd.Process.Pid); err != nil {
		return errors.Join(err, cmd.Process.Kill())
	}
	// Long enough to see a server that cannot start at all.
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	select {
	case err := <-gone:
		return errors.Join(fmt.Errorf("the server ended at once (%w); see what debug says", err), os.Remove(s.pidFile))
	case <-time.After(500 * time.Millisecond):
		return nil
	}
}

// debug serves in the foreground; its exit code is 0 whatever happened.
func (s *serverCtl) debug(ctx context.Context, ini string) error {
	abs, err := filepath.Abs(ini)
	if err == nil {
		err = os.Chdir(filepath.Dir(abs))
	}
	if err != nil {
		return err
	}
	app := newApp(s.stdin, s.stdout, s.stderr)
	if err := app.RunContext(ctx, []string{"ankisyncd", "--log-level", "debug", "serve", abs}); err != nil {
		s.say("%v", err)
	}
	return nil
}

// stop ends the server and waits until it has closed its collections.
func (s *serverCtl) stop() {
	pid, err := s.running()
	if err != nil {
		if errors.Is(err, errNotRunning) {
			_ = os.Remove(s.pidFile) // stale
			s.say("The server is not running")
		} else {
			s.say("Failed to stop server: %v", err)
		}
		return
	}
	if err := terminate(pid); err != nil {
		s.say("Failed to stop server: %v", err)
		return
	}
	for range 100 {
		if !isServer(pid) {
			_ = os.Remove(s.pidFile)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.say("Failed to stop server: process %d was told to stop, but is still there", pid)
}

var errNotRunning = errors.New("the server is not running")

// running is the process id of the server that start began.
func (s *serverCtl) running() (int, error) {
	info, err := os.Lstat(s.pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errNotRunning
	}
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() || !ownedByUs(info) {
		return 0, fmt.Errorf("%s is not a file of this user", s.pidFile)
	}
	b, err := os.ReadFile(s.pidFile)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 1 || !isServer(pid) {
		return 0, errNotRunning
	}
	return pid, nil
}

// serverCtlConfig has the original's fixed names. Only how passwords are stored
// and what becomes of devices is as the server does it: by the production.ini
// here, or what is found without one, and the environment.
func serverCtlConfig() (*config.Config, error) {
	o := config.LoadOptions{Environ: os.Environ()}
	const ini = "production.ini"
	if _, err := os.Stat(ini); err == nil {
		o.Path = ini
	}
	server, err := config.Load(o)
	if err != nil {
		return nil, err
	}
	cfg := config.Default()
	cfg.KeepLegacyHashes, cfg.KeepSessionsOnPasswd = server.KeepLegacyHashes, server.KeepSessionsOnPasswd
	return cfg, nil
}

// users does what concerns users, in the working directory. The original
// prints the question and then lets Python ask "Password: ".
func (s *serverCtl) users(ctx context.Context, command string, names []string) error {
	if command != "lsuser" && len(names) == 0 {
		return s.usage(0)
	}
	cfg, err := serverCtlConfig()
	if err != nil {
		return err
	}
	a := &userAdmin{cfg: cfg, stdin: s.stdin, stdout: s.stdout, stderr: s.stderr, prompt: "Password: ", asOriginals: true}
	_, err = os.Stat(cfg.AuthDBPath)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case command == "lsuser" && missing:
		return errors.New("no such table: auth")
	case command == "lsuser":
		return a.listPlain(ctx, nil)
	case command != "adduser" && missing:
		s.say("Database file does not exist")
		return nil
	}
	name := names[0]
	switch command {
	case "adduser":
		fmt.Fprintf(s.stdout, "Enter password for %s: \n", name)
		return a.add(ctx, []string{name})
	case "deluser":
		return a.delete(ctx, []string{name})
	}
	fmt.Fprintf(s.stdout, "Enter password for %s: \n", name)
	a.stdout = io.Discard // an unknown user is silently passed over
	return a.passwd(ctx, []string{name})
}
