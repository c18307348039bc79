// Command jars fetches Neo4j's jars into the user's cache, if they are not there, and prints their folder.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aguante-chat/aguante/test/stack"
)

func main() {
	folder, err := stack.Neo4jJars(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(folder)
}
