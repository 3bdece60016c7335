// SPDX-License-Identifier: Apache-2.0

// A Go program without CUDA: goroutines and a child process.
package main

import (
	"fmt"
	"os/exec"
	"sync"
)

func main() {
	var wait sync.WaitGroup
	var lock sync.Mutex
	sum := 0
	for i := 0; i < 100; i++ {
		wait.Add(1)
		go func(n int) {
			defer wait.Done()
			lock.Lock()
			sum += n
			lock.Unlock()
		}(i)
	}
	wait.Wait()
	output, err := exec.Command("sh", "-c", "echo from a child; exit 4").Output()
	fmt.Println(sum, string(output), err)
}
