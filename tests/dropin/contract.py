# SPDX-License-Identifier: Apache-2.0
"""Contains the code snippets of the contract, verbatim. README.md of the drop-in directory contains the same snippets."""

BUILD = """\
cd cuda-fault-injection
make  # Creates fake_cuda_xid79.so
"""

IMPORT = """\
import sys
import os
from pathlib import Path

# Add cuda-fault-injection to path
cuda_injection_dir = Path(__file__).parent.parent / "cuda-fault-injection"
sys.path.insert(0, str(cuda_injection_dir))

from inject_into_pods import (
    create_cuda_fault_configmap,      # Step 1: Create ConfigMap with library
    patch_deployment_env,             # Step 2: Patch deployment to use it
    delete_cuda_fault_configmap       # Cleanup: Remove ConfigMap
)
"""

TESTS = '''\
def test_gpu_failure_xid79():
    """Test XID 79 - GPU fell off bus"""
    deployment_name = "vllm-worker"
    namespace = "default"
    target_node = "node-with-gpu"
    
    # Enable CUDA fault injection for XID 79 (default)
    create_cuda_fault_configmap(namespace)
    patch_deployment_env(deployment_name, namespace, enable=True, 
                        use_configmap=True, target_node=target_node,
                        xid_type=79)
    
    # Pods will crash with CUDA_ERROR_NO_DEVICE
    # ... your test logic here ...
    
    # Cleanup
    patch_deployment_env(deployment_name, namespace, enable=False, use_configmap=True)
    delete_cuda_fault_configmap(namespace)

def test_ecc_error_xid48():
    """Test XID 48 - Double-bit ECC error"""
    create_cuda_fault_configmap(namespace)
    patch_deployment_env(deployment_name, namespace, enable=True,
                        use_configmap=True, xid_type=48)
    
    # Pods will crash with CUDA_ERROR_ECC_UNCORRECTABLE
    # ... your test logic here ...
    
    # Cleanup
    patch_deployment_env(deployment_name, namespace, enable=False, use_configmap=True)
    delete_cuda_fault_configmap(namespace)
'''

# Globals that the second test expects in its module.
GLOBALS = """\
deployment_name = "vllm-worker"
namespace = "default"
"""
