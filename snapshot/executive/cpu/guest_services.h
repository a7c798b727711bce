// SPDX-License-Identifier: Apache-2.0
/*
 * The numbers of the executive model's services, in C because guests (samples/guests) include it
 * too: one table, so that guest and executive cannot disagree. They are the model's own, not those
 * of any Windows. A number is never reused. Calling convention: eax number; r10 rdx r8 r9, then
 * [rsp+28h].. the arguments; rax the NTSTATUS; rcx and r11 are lost (SYSCALL keeps next rip and
 * flags there). */
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_CPU_GUEST_SERVICES_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_CPU_GUEST_SERVICES_H_

enum ntx_service {
  /* processes and threads */
  kServiceCreateProcess = 0x001,
  kServiceCreateProcessEx = 0x002,
  kServiceCreateUserProcess = 0x003,
  kServiceOpenProcess = 0x004,
  kServiceTerminateProcess = 0x005,
  kServiceSuspendProcess = 0x006,
  kServiceResumeProcess = 0x007,
  kServiceCreateThread = 0x008,
  kServiceCreateThreadEx = 0x009,
  kServiceOpenThread = 0x00a,
  kServiceTerminateThread = 0x00b,
  kServiceSuspendThread = 0x00c,
  kServiceResumeThread = 0x00d,
  kServiceGetContextThread = 0x00e,
  kServiceSetContextThread = 0x00f,
  kServiceGetNextThread = 0x010,
  kServiceGetNextProcess = 0x011,
  kServiceQueryInformationProcess = 0x012,
  kServiceSetInformationProcess = 0x013,
  kServiceQueryInformationThread = 0x014,
  kServiceContinue = 0x015,
  kServiceRaiseException = 0x016,
  kServiceYieldExecution = 0x017,
  kServiceDelayExecution = 0x018,
  kServiceSetInformationThread = 0x019,
  /* memory */
  kServiceAllocateVirtualMemory = 0x040,
  kServiceFreeVirtualMemory = 0x041,
  kServiceProtectVirtualMemory = 0x042,
  kServiceReadVirtualMemory = 0x043,
  kServiceWriteVirtualMemory = 0x044,
  kServiceQueryVirtualMemory = 0x045,
  kServiceCreateSection = 0x046,
  kServiceOpenSection = 0x047,
  kServiceQuerySection = 0x048,
  kServiceMapViewOfSection = 0x049,
  kServiceUnmapViewOfSection = 0x04a,
  /* objects, synchronisation, tokens */
  kServiceClose = 0x080,
  kServiceDuplicateObject = 0x081,
  kServiceQueryObject = 0x082,
  kServiceSetInformationObject = 0x083,
  kServiceCreateEvent = 0x084,
  kServiceOpenEvent = 0x085,
  kServiceSetEvent = 0x086,
  kServiceResetEvent = 0x087,
  kServiceCreateMutant = 0x088,
  kServiceOpenMutant = 0x089,
  kServiceReleaseMutant = 0x08a,
  kServiceWaitForSingleObject = 0x08b,
  kServiceCreateDirectoryObject = 0x08c,
  kServiceOpenProcessToken = 0x08d,
  kServiceDuplicateToken = 0x08e,
  kServiceQueryInformationToken = 0x08f,
  kServiceAdjustPrivilegesToken = 0x090,
  /* files */
  kServiceCreateFile = 0x0c0,
  kServiceOpenFile = 0x0c1,
  kServiceReadFile = 0x0c2,
  kServiceWriteFile = 0x0c3,
  kServiceLockFile = 0x0c4,
  kServiceUnlockFile = 0x0c5,
  kServiceSetInformationFile = 0x0c6,
  kServiceQueryInformationFile = 0x0c7,
  /* extensions of the model */
  kServiceSetExceptionDispatcher = 0x100,
  kServiceCreateCrashPort = 0x101,
  kServiceSetCrashPort = 0x102,
  kServiceReceiveCrash = 0x103,
  kServiceReplyCrash = 0x104,
  kServiceQueryStats = 0x105
};

#endif /* DOPPEL_SNAPSHOT_EXECUTIVE_CPU_GUEST_SERVICES_H_ */
