# SPDX-License-Identifier: Apache-2.0
"""Rules for the columns that the headers do not contain: call class, simple=fail|pass and the argument that identifies
the GPU.

Driver and runtime functions share the rules. A rule is matched against the name without `cu` or `cuda` and without the
ABI suffix: `MemAlloc` for cuMemAlloc_v2. The first rule that matches the whole name applies.
"""

import re

CLASSES = "init device context module memory copy launch sync query stream event graph peer ipc pure".split()

# Functions whose class differs from that of their doxygen group.
CLASS_OF_NAME = [
    (r"Init|GLInit", "init"),
    (r"GetExportTable|ModuleGetLoadingMode|TensorMap.*|CreateChannelDesc|SetDoubleFor(Device|Host)", "pure"),
    (r"Profiler\w+", "pure"),
    (r"(Device|Ctx|Stream|Event|Thread|ExecutionCtx)Synchronize", "sync"),
    (r"(Stream|Event)Query", "query"),
    (r"Mem(cpy|set)\w*|MemPrefetch\w*|MemDiscard\w*|MemBatchDecompress\w*|FabricCpy\w*", "copy"),
    (r"Ipc\w+|Mem(Pool)?(Export|Import)\w+|MemGetHandleForAddressRange", "ipc"),
    (r"Device(CanAccessPeer|GetP2P\w+)", "peer"),
    (r"Device(GetByPCIBusId|GetPCIBusId|(Unr|R)egisterAsyncNotification)", "device"),
    (r"(GL|VDPAU)Get\w*Devices?|GLSetGLDevice|VDPAUSetVDPAUDevice", "device"),
    (r"(GL|VDPAU)CtxCreate", "context"),
    (r"DeviceReset|InitDevice|ThreadExit|CtxResetPersistingL2Cache", "context"),
    (r"EventCreateFromEGLSync", "event"),
    (r"GreenCtxStreamCreate|ExecutionCtxStreamCreate|Stream\w+|(Signal|Wait)ExternalSemaphoresAsync", "stream"),
    (r"LaunchHostFunc", "stream"),
    (r"(GreenCtx|ExecutionCtx|Ctx)(Record|Wait)Event", "event"),
    (r"GraphLaunch|Launch\w*", "launch"),
    (r"Func\w+|Param\w+", "module"),
    (r"GetSymbol(Address|Size)", "module"),
]

CLASS_OF_GROUP = {
    "INITIALIZE": "init",
    "DEVICE": "device", "CLIQUE": "device",
    "PRIMARY_CTX": "context", "CTX": "context", "THREAD": "context", "GREEN_CONTEXTS": "context",
    "EXECUTION_CONTEXT": "context", "CHECKPOINT": "context",
    "MODULE": "module", "LIBRARY": "module", "TEXREF": "module", "SURFREF": "module", "TEXTURE": "module",
    "SURFACE": "module", "DRIVER": "module",
    "MEM": "memory", "MEMORY": "memory", "VA": "memory", "MALLOC_ASYNC": "memory", "MEMORY_POOLS": "memory",
    "MULTICAST": "memory", "UNIFIED": "memory", "TEXOBJECT": "memory", "SURFOBJECT": "memory",
    "TEXTURE_OBJECT": "memory", "SURFACE_OBJECT": "memory", "GRAPHICS": "memory", "INTEROP": "memory", "GL": "memory",
    "OPENGL": "memory", "EGL": "memory", "VDPAU": "memory",
    "FABRIC_COPY": "copy",
    "EXEC": "launch", "EXECUTION": "launch",
    "STREAM": "stream", "MEMOP": "stream",
    "EVENT": "event",
    "GRAPH": "graph",
    "PEER_ACCESS": "peer", "PEER": "peer",
    "EXTRES_INTEROP": "ipc", "LOGICAL_ENDPOINT": "ipc",
    "ERROR": "pure", "VERSION": "pure", "DRIVER_ENTRY_POINT": "pure", "COREDUMP": "pure", "LOGS": "pure",
    "PROFILER": "pure",
    # Computed on the host from properties of the function and the device.
    "OCCUPANCY": "pure", "TENSOR_MEMORY": "pure",
}

# Functions that model=simple does not fail although they return a status (design §4).
SIMPLE_PASS = [
    # current device and context
    r"Ctx(Get|Set|Push|Pop)Current|CtxGetDevice|[GS]etDevice|SetValidDevices|GLSetGLDevice|VDPAUSetVDPAUDevice",
    r"CtxGetApiVersion",
    # checks whether a context exists; PyTorch calls it for every GPU before it uses any GPU
    r"DevicePrimaryCtxGetState",
    # capture queries
    r"StreamIsCapturing|StreamGetCaptureInfo|ThreadExchangeStreamCaptureMode",
    # free, destroy, unload, unregister, and functions that reset a context
    r"(Mem)?Free(Async|Host|Array|MipmappedArray)?|MemAddressFree|MemUnmap|MemRelease|MemHostUnregister|HostUnregister",
    r"(Ctx|GreenCtx|ExecutionCtx|Stream|Event|Array|MipmappedArray|MemPool|Graph|GraphExec|LogicalEndpoint)Destroy",
    r"(TexRef|TexObject|SurfObject|Link)Destroy|Destroy(Texture|Surface)Object|GraphDestroyNode|CtxDetach",
    r"DestroyExternal(Memory|Semaphore)|IpcCloseMemHandle|MulticastUnbind|LogicalEndpoint(Unbind|IdRelease)",
    r"(Module|Library)Unload|UserObjectRelease|GraphReleaseUserObject|DevicePrimaryCtx(Release|Reset)",
    r"DeviceReset|ThreadExit|DeviceUnregisterAsyncNotification|UnbindTexture",
    r"GraphicsUn(mapResources|registerResource)|GLUn(mapBufferObject(Async)?|registerBufferObject)",
    r"EGLStream(Consumer|Producer)Disconnect",
    # kernel handles that programs request once and keep
    r"GetKernel|GetFuncBySymbol",
]

# Functions that look up a GPU by an identifier other than a handle or an ordinal.
LOOKUP = {"DeviceGetByPCIBusId": "pci:1"}

# Functions that do not concern a single GPU.
NO_DEVICE = (
    r"Init|GLInit|\w*GetDeviceCount|DeviceGetCount|ChooseDevice|SetValidDevices|GetExportTable"
    r"|(GL|VDPAU)Get\w*Devices?|Checkpoint\w+|ThreadExchangeStreamCaptureMode|__cuda(Register|Unregister|InitModule)\w*"
)

# Functions that a library exports but no header declares: (returns, parameters, class, simple, source). README.md
# describes the evidence. The parameters are empty if they are unknown.
UNDOCUMENTED = {
    "__cudaRegisterFatBinary": ("void **", ("const void *image",), "module", "pass", "crt/host_runtime.h"),
    "__cudaRegisterFatBinaryEnd": ("void", ("void **handle",), "module", "pass", "crt/host_runtime.h"),
    "__cudaUnregisterFatBinary": ("void", ("void **handle",), "module", "pass", "crt/host_runtime.h"),
    "__cudaRegisterVar": ("void", ("void **handle",), "module", "pass", "crt/host_runtime.h"),
    "__cudaRegisterManagedVar": ("void", ("void **handle",), "module", "pass", "crt/host_runtime.h"),
    "__cudaRegisterHostVar": ("void", ("void **handle",), "module", "pass", "code: registers, fetches nothing"),
    "__cudaRegisterTexture": ("void", ("void **handle",), "module", "pass", "crt/host_runtime.h"),
    "__cudaRegisterSurface": ("void", ("void **handle",), "module", "pass", "crt/host_runtime.h"),
    "__cudaRegisterFunction": ("void", ("void **handle",), "module", "pass", "crt/host_runtime.h"),
    "__cudaRegisterUnifiedTable": ("void", ("void **handle",), "module", "pass", "code: registers, fetches nothing"),
    "__cudaInitModule": ("char", ("void **handle",), "module", "pass", "crt/host_runtime.h"),
    "__cudaPushCallConfiguration": (
        "unsigned", ("dim3 grid", "dim3 block", "size_t shared", "void *stream"), "launch", "pass",
        "crt/device_functions.h"),
    "__cudaPopCallConfiguration": (
        "cudaError_t", ("dim3 *grid", "dim3 *block", "size_t *shared", "void *stream"), "launch", "pass",
        "crt/host_runtime.h"),
    "__cudaGetKernel": (
        "cudaError_t", ("cudaKernel_t *kernel", "const void *function"), "module", "pass", "crt/device_functions.h"),
    "__cudaLaunchKernel": (
        "cudaError_t",
        ("cudaKernel_t kernel", "dim3 grid", "dim3 block", "void **args", "size_t shared", "cudaStream_t stream"),
        "launch", "fail", "crt/device_functions.h"),
    "__cudaGetProcAddress": ("void *", (), "pure", "pass", "code: returns 0, resolves nothing"),
    "cudaSubgridCreate": ("cudaError_t", (), "launch", "fail", "code: calls cuSubgridCreate"),
    "cudaSubgridWorkerGridCreate": ("cudaError_t", (), "launch", "fail", "code: calls cuSubgridWorkerGridCreate"),
    "cudaSubgridWorksetCreate": ("cudaError_t", (), "launch", "fail", "code: calls cuSubgridWorksetCreate"),
    "ncclResetDebugInitInternal": ("void", (), "pure", "pass", "export of libnccl.so.2"),
}
# Driver functions that libcudart requests from cuGetProcAddress but no header declares: (version, first release,
# class).
UNDOCUMENTED_DRIVER = {
    "cuSubgridCreate": ("13030", "13.3", "launch"),
    "cuSubgridWorkerGridCreate": ("13030", "13.3", "launch"),
    "cuSubgridWorksetCreate": ("13030", "13.3", "launch"),
}

NVML_CLASS_OF_GROUP = {"InitializationAndCleanup": "init", "ErrorReporting": "pure", "Events": "event"}
NVML_CLASS_OF_NAME = [
    (r"nvmlSystemGet\w*Version\w*", "pure"),
    (r"nvml(DeviceGet|System)\w*(NvLink|Topology|P2P)\w*|nvmlDevice\w*NvLink\w*|nvmlDeviceGetP2P\w*", "peer"),
]
NCCL_CLASS_OF_NAME = [
    (r"ncclGet(ErrorString|LastError|Version)|ncclParam\w+|ncclResetDebug\w*|ncclTeam\w+", "pure"),
    (r"ncclGetUniqueId|ncclCommGetUniqueId|ncclComm(InitAll|InitRank\w*)", "init"),
    (r"ncclCommGetAsyncError", "query"),
    (r"nccl(Mem(Alloc|Free)|Comm(R|Der)egister|CommWindow\w+|WinGet\w+|Get\w+(Pointer|LeInfo))", "memory"),
    (r"nccl(DevComm|Comm|RedOp|SetEncryption|\w*CreateRequirement|\w*CalcSlots)\w*", "context"),
    (r"nccl\w+", "launch"),
]

# Structures passed by value, and the slots that they take. None: larger than 16 bytes. x86-64 passes those on the stack
# and aarch64 by a pointer in a slot, so later arguments have no slot number that is valid on both.
STRUCT_SLOTS = {
    "dim3": 2, "CUmemLocation": 1, "cudaMemLocation": 1,
    "cudaExtent": None, "cudaPitchedPtr": None, "cudaPos": None, "cudaChannelFormatDesc": None,
    "CUipcMemHandle": None, "CUipcEventHandle": None, "cudaIpcMemHandle_t": None, "cudaIpcEventHandle_t": None,
    "ncclUniqueId": None,
}


# Structures behind a pointer that contain a CUmemLocation: at byte 0, and at byte 8. A structure that is not const may
# be output, except for the parameters of a new graph node.
LOCATION = r"(const )?(struct )?(CUmemLocation|cudaMemLocation) ?\* ?location"
PROPERTIES = (
    r"const (struct )?(CUmemAllocationProp|CUmemPoolProps|cudaMemPoolProps) ?\* ?\w+"
    r"|(struct )?(CUDA_MEM_ALLOC_NODE_PARAMS|cudaMemAllocNodeParams) ?\* ?nodeParams"
)
# Arguments that identify a GPU in a form that gpu= does not read: handles of memory, contexts and communicators, 32-bit
# pointers, lists, and structures that contain pointers or streams.
UNREAD = (
    r"CUdeviceptr_v1|CUmemoryPool|cudaMemPool_t|CUmemGenericAllocationHandle|CU(mipmappedA|a)rray"
    r"|cuda(MipmappedA|A)rray(_const)?_t|cudaPitchedPtr|CUgreenCtx|cudaExecutionContext_t|ncclComm_t"
    r"|const int ?\* ?devlist"
    r"|(const )?(struct )?(CUmemAccessDesc|cudaMemAccessDesc|CUDA_MEMCPY[23]D\w*|cudaMemcpy3D(Peer)?Parms"
    r"|CUlaunchConfig|cudaLaunchConfig_t|CUDA_LAUNCH_PARAMS|cudaLaunchParams|CUDA_MEMSET_NODE_PARAMS|cudaMemsetParams"
    r"|CUDA_KERNEL_NODE_PARAMS|CUDA_BATCH_MEM_OP_NODE_PARAMS|(CU|cuda)[gG]raphNodeParams"
    r"|CUDA_RESOURCE_DESC|cudaResourceDesc"
    r") ?\* ?\w+"
)


def match(rules, name):
    """Returns the value of the first (pattern, value) whose pattern matches the whole name, or None."""
    return next((value for pattern, value in rules if re.fullmatch(pattern, name)), None)


def short_name(symbol):
    """Returns the form of a name that the rules match: MemAlloc for cuMemAlloc, Malloc for cudaMalloc."""
    return re.sub(r"^(cuda|cu)(?=[A-Z])", "", symbol)


def call_class(symbol, group):
    """Returns the call class of a driver or runtime function. Raises KeyError if no rule matches its name or group."""
    found = match(CLASS_OF_NAME, short_name(symbol))
    if not found and group:
        bare = re.sub(r"^CUDA(RT)?_+", "", group).removesuffix("_DEPRECATED")
        found = CLASS_OF_GROUP.get(bare)
    if not found:
        raise KeyError(f"no call class for {symbol} of group {group}: add it to data/headers/rules.py")
    return found


def simple(symbol, of_class, returns):
    """Returns "fail" or "pass", the value of the simple column."""
    passes = returns != "status" or of_class == "pure"
    return "pass" if passes or any(re.fullmatch(rule, short_name(symbol)) for rule in SIMPLE_PASS) else "fail"


def slots(parameters):
    """Returns (type, name, 8-byte slot) of each parameter; the slot is None if it differs between architectures."""
    found, following = [], 0
    for parameter in parameters:
        words = re.sub(r"\b(const|struct|enum)\b", " ", parameter).replace("*", " * ").split()
        pointer = "*" in parameter or "[" in parameter or "(" in parameter
        name = words[-1] if len(words) > 1 else ""
        kind = "void *" if pointer else " ".join(words[:-1]) or words[0]
        if kind in ("float", "double"):
            found.append((kind, name, None))
            continue
        found.append((parameter if pointer else kind, name, following))
        width = 1 if pointer else STRUCT_SLOTS.get(kind, 1)
        following = None if following is None or width is None else following + width
    return found


def device(symbol, of_class, parameters):
    """Returns the device column of a driver or runtime function."""
    name = short_name(symbol)
    if name in LOOKUP:
        return LOOKUP[name]
    host_only = of_class == "pure" and not name.startswith("Occupancy")
    if host_only or re.fullmatch(NO_DEVICE, name):
        return "none"
    return named_by_argument(slots(parameters))


def named_by_argument(arguments):
    """Returns device:K, stream:K, ... for the argument that identifies the GPU most precisely, or `unread` or `-`."""
    ends = ("dstDevice", "srcDevice")

    def is_device(kind, name):
        return kind == "CUdevice" or (kind == "int" and name in ("device", "dev", "deviceId", "ordinal", *ends))

    def is_pointer(kind, name):
        # `addr` of cuMemAddressReserve is a hint, not the address of memory.
        return (kind in ("CUdeviceptr", "CUdeviceptr_v2") and name != "addr") or (
            name in ("devPtr", "ptr") and re.fullmatch(r"(const )?void ?\* ?\w+", kind))

    def is_memory(kind, name):
        return name in ("dst", "src") and re.fullmatch(r"CUdeviceptr|(const )?void ?\* ?\w+", kind)

    choices = [
        ("device", lambda kind, name: is_device(kind, name) and name not in ends),
        ("stream", lambda kind, name: kind in ("CUstream", "cudaStream_t")),
        ("event", lambda kind, name: kind in ("CUevent", "cudaEvent_t")),
        ("context", lambda kind, name: kind == "CUcontext" and name != "peerContext"),
        ("device", is_device),
        ("location", lambda kind, name: re.fullmatch(LOCATION, kind)),
        ("location_value", lambda kind, name: kind in ("CUmemLocation", "cudaMemLocation")),
        ("properties", lambda kind, name: re.fullmatch(PROPERTIES, kind)),
    ]
    copied = [str(slot) for kind, name, slot in arguments if is_memory(kind, name)]
    if len(copied) != 2:  # the destination and the source of a copy
        choices.append(("pointer", is_pointer))
    for form, fits in choices:
        slot = next((slot for kind, name, slot in arguments if fits(kind, name) and slot is not None), None)
        if slot is not None:
            return f"{form}:{slot}"
    if len(copied) == 2:
        return f"copy:{','.join(copied)}"
    return "unread" if any(re.fullmatch(UNREAD, kind) for kind, _, _ in arguments) else "-"


def nvml_class(symbol, group):
    """Returns the call class of an NVML function. The default is device."""
    return match(NVML_CLASS_OF_NAME, symbol) or NVML_CLASS_OF_GROUP.get(group.removeprefix("nvml"), "device")


NVML_LOOKUP = {
    "nvmlDeviceGetHandleByIndex": "index:0", "nvmlDeviceGetHandleByPciBusId": "pci:0",
    "nvmlDeviceGetHandleBySerial": "serial:0", "nvmlDeviceGetHandleByUUID": "uuid:0",
    "nvmlDeviceGetHandleByUUIDV": "uuid:0",
}
NVML_TYPES = [
    ("nvmlDevice_t", "handle"), ("nvmlPciInfo_t *", "pci_info"), ("nvmlGpuInstance_t", "gpu_instance"),
    ("nvmlComputeInstance_t", "compute_instance"), ("nvmlVgpuInstance_t", "vgpu_instance"),
    ("nvmlVgpuTypeId_t", "vgpu_type"), ("nvmlUnit_t", "unit"),
]


def nvml_device(symbol, parameters):
    """Returns the device column of an NVML function: the argument that identifies a GPU, unit or vGPU, or `none`."""
    if symbol in NVML_LOOKUP:
        return NVML_LOOKUP[symbol]
    for type_name, kind in NVML_TYPES:
        form = re.escape(type_name) + r" ?\w+"
        slot = next((slot for slot, parameter in enumerate(parameters) if re.fullmatch(form, parameter)), None)
        if slot is not None:
            return f"{kind}:{slot}"
    return "none"
