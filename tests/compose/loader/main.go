// Loads compose files, given as in COMPOSE_FILE, as Docker Compose does and prints the project as JSON, or one sentence why it is none.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions(filepath.SplitList(os.Args[1]),
		cli.WithName("comptoir"), cli.WithOsEnv, cli.WithProfiles(os.Args[2:]), cli.WithInterpolation(true))
	if err == nil {
		var content []byte
		project, failure := options.LoadProject(context.Background())
		if err = failure; err == nil {
			if content, err = project.MarshalJSON(); err == nil {
				fmt.Println(string(content))
				return
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
