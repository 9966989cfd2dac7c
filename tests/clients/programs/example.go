// Complete the run of release.fsl with the Go client that openapi-generator generated.
//
//	example URL TOKEN DOCUMENT RUN
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"

	echoer "example.com/echoer/client"
)

// good returns a successful answer.
func good[T any](found T, _ *http.Response, err error) T {
	if err != nil {
		log.Fatalf("the server refused: %v", err)
	}
	return found
}

func check(holds bool, what string) {
	if !holds {
		log.Fatalf("this does not hold: %s", what)
	}
}

func main() {
	url, token, document, run := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	settings := echoer.NewConfiguration()
	settings.Servers = echoer.ServerConfigurations{{URL: url}}
	client := echoer.NewAPIClient(settings)
	ctx := context.WithValue(context.Background(), echoer.ContextAccessToken, token)

	check(good(client.ServerAPI.GetMe(ctx).Execute()).Role == "admin", "the role is admin")
	raw, err := os.ReadFile(document)
	check(err == nil, "the document is readable")
	body := echoer.NewFslBody(strings.ReplaceAll(string(raw), "my_flow_run", run))
	check(len(good(client.DefinitionsAPI.PostFsl(ctx).FslBody(*body).Execute()).Results) == 6, "six results")

	steps := 0
	found := good(client.RunsAPI.GetFlowrunName(ctx, run).Execute())
	for !found.Ended {
		waiting := (*found.Spec.Tokens.Get().ArrayOfToken)[0]
		step := good(client.StepsAPI.GetStepName(ctx, run+"."+waiting.Step).Execute())
		action := good(client.DefinitionsAPI.GetActionName(ctx, step.Spec.ActionRun.ActionName).Execute())
		answer := echoer.NewAnswerBody(run, waiting.Step, waiting.Uuid)
		answer.SetAckState(action.Spec.ReturnStates[0])
		answer.SetDone(true)
		check(good(client.StepsAPI.PostStep(ctx).AnswerBody(*answer).Execute()).Outcome == "advanced", "it advances")
		steps++
		found = good(client.RunsAPI.GetFlowrunName(ctx, run).Execute())
	}
	check(found.Spec.Status == "succeeded" && found.Spec.CurrentState == "done" && steps == 4, "the run is done")

	for place, entry := range good(client.RunsAPI.GetFlowrunNameHistory(ctx, run).Execute()) {
		check(int(entry.Seq) == place+1, "the history has no gap")
	}
	listed := false
	for _, one := range good(client.RunsAPI.GetFlowrun(ctx).Execute()) {
		listed = listed || one.Metadata.Name == run
	}
	check(listed, "the list has the run")
	signal := echoer.NewSignalBody("released")
	signal.SetData(map[string]any{"run": run})
	event := good(client.EventsAPI.PostEvent(ctx).SignalBody(*signal).Execute())
	check(event.Spec.Name == "released" && event.Woken.Count == 0, "the event is published")
	check(len(good(client.StepsAPI.GetTask(ctx).Execute())) == 0, "the inbox is empty")
	fmt.Printf("go: %s is %s after %d steps\n", run, found.Spec.CurrentState, steps)
}
