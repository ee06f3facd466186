#pragma warning disable xUnit1003, xUnit1026 // Theories that are left out need no data, and use none.

namespace Weir.Tests;

// The tests of loops, descriptors and sockets a second time, on loops that wait by io_uring. Those that are about epoll's own calls and
// registrations, or make a call of the door fail that is submitted here, are left out; UringDriverTests has this driver's own.

public class FairnessTestsOnUring : FairnessTests
{
    protected override TestBed MakeBed() => new UringBed();

    [Fact(Skip = "The socket holds too little: this driver takes it all in one turn. bench/run flood shows the fairness.")]
    public override void A_flooding_connection_yields_to_its_neighbour_after_its_budget_of_bytes()
    {
    }
}

public class DescriptorStreamTestsOnUring : DescriptorStreamTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class EventSignalTestsOnUring : EventSignalTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class FdWatcherByNumberTestsOnUring : FdWatcherByNumberTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class FdWatcherClosingByNumberTestsOnUring : FdWatcherClosingByNumberTests
{
    protected override TestBed MakeBed() => new UringBed();

    [Fact(Skip = "A poll is removed by what it was submitted as: there are no ghosts.")]
    public override void A_wait_survives_the_close_of_a_descriptor_whose_duplicate_lives()
    {
    }

    [Fact(Skip = "The poll of the other direction goes on, whatever became of the number.")]
    public override void Two_waits_survive_an_unannounced_close_and_are_cancelled_one_after_the_other()
    {
    }

    [Fact(Skip = "The poll of the other direction goes on, whatever became of the number.")]
    public override void Two_waits_survive_an_unannounced_close_with_traffic_through_the_duplicate()
    {
    }

    [Theory(Skip = "A poll is removed by what it was submitted as: there are no ghosts.")]
    public override void A_wait_given_up_does_no_harm_to_the_next_owner_of_its_number(string how)
    {
    }
}

public class FdWatcherByHandleTestsOnUring : FdWatcherByHandleTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class FdWatcherClosingByHandleTestsOnUring : FdWatcherClosingByHandleTests
{
    protected override TestBed MakeBed() => new UringBed();

    [Fact(Skip = "A poll is removed by what it was submitted as: there are no ghosts.")]
    public override void A_wait_survives_the_close_of_a_descriptor_whose_duplicate_lives()
    {
    }

    [Fact(Skip = "The poll of the other direction goes on, whatever became of the number.")]
    public override void Two_waits_survive_an_unannounced_close_and_are_cancelled_one_after_the_other()
    {
    }

    [Fact(Skip = "The poll of the other direction goes on, whatever became of the number.")]
    public override void Two_waits_survive_an_unannounced_close_with_traffic_through_the_duplicate()
    {
    }

    [Theory(Skip = "A poll is removed by what it was submitted as: there are no ghosts.")]
    public override void A_wait_given_up_does_no_harm_to_the_next_owner_of_its_number(string how)
    {
    }
}

public class OwnedFdWatcherTestsOnUring : OwnedFdWatcherTests
{
    protected override TestBed MakeBed() => new UringBed();

    [Fact(Skip = "About a call that this driver does not make.")]
    public override void A_descriptor_that_cannot_be_polled_is_refused_at_once_and_stays_the_callers()
    {
    }

    [Fact(Skip = "A poll is removed by what it was submitted as: there are no ghosts.")]
    public override void A_registration_that_cannot_be_removed_and_fires_on_and_on_makes_the_loop_build_a_fresh_set()
    {
    }

    [Fact(Skip = "About a call that this driver does not make.")]
    public override void It_is_registered_once_and_waits_cost_no_further_call()
    {
    }

    [Theory(Skip = "A poll is removed by what it was submitted as: there are no ghosts.")]
    public override void Without_a_descriptor_for_a_fresh_set_the_old_one_serves_on(string call)
    {
    }

    [Fact(Skip = "A poll is removed by what it was submitted as: there are no ghosts.")]
    public override void Without_room_for_all_registrations_in_a_fresh_set_the_old_one_serves_on()
    {
    }

    [Fact(Skip = "A poll is removed by what it was submitted as: there are no ghosts.")]
    public override void Registrations_left_behind_that_fire_once_each_are_no_reason_for_a_fresh_set()
    {
    }

    [Fact(Skip = "About a call that this driver does not make.")]
    public override void A_descriptor_that_the_loop_watches_already_is_not_handed_over_again()
    {
    }

    [Fact(Skip = "The connection receives ahead, past the mark, and the urgent data is gone before anyone asks.")]
    public override void Urgent_data_is_waited_for_by_itself()
    {
    }
}

public class PipeEndTestsOnUring : PipeEndTests
{
    protected override TestBed MakeBed() => new UringBed();

    [Theory(Skip = "Nothing is registered by a call, so nothing can be refused.")]
    public override void A_pair_that_cannot_be_made_leaves_nothing_open(string call, int times)
    {
    }
}

public class EventLoopDelayTestsOnUring : EventLoopDelayTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class EventLoopPostTestsOnUring : EventLoopPostTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class EventLoopRunTestsOnUring : EventLoopRunTests
{
    protected override TestBed MakeBed() => new UringBed();

    [Fact(Skip = "About a call that this driver does not make.")]
    public override void A_kernel_that_fails_to_wait_ends_the_loop_with_its_error()
    {
    }

    [Fact(Skip = "Told apart by calls that this driver does not make: a look is none here.")]
    public override void A_loop_that_spins_before_it_sleeps_is_woken_without_a_system_call()
    {
    }

    [Theory(Skip = "UringDriverTests has the calls that make this driver.")]
    public override void A_loop_that_cannot_be_made_says_why_and_leaves_nothing_open(string call)
    {
    }
}

public class EventLoopStopTestsOnUring : EventLoopStopTests
{
    protected override TestBed MakeBed() => new UringBed();
}

[Collection(Alone.Name)]
public class EventLoopRestartTestsOnUring : EventLoopRestartTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class EventLoopTaskTestsOnUring : EventLoopTaskTests
{
    protected override TestBed MakeBed() => new UringBed();
}

[Collection(Alone.Name)]
public class LoopAllocationTestsOnUring : LoopAllocationTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class LoopContextTestsOnUring : LoopContextTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class LoopTimeProviderTestsOnUring : LoopTimeProviderTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class LoopTimerTestsOnUring : LoopTimerTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class MarksTestsOnUring : MarksTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class TaskGroupTestsOnUring : TaskGroupTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class AcceptAllTestsOnUring : AcceptAllTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class CancellationStressTestsOnUring : CancellationStressTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class ConnectTestsOnUring : ConnectTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class ConnectionTestsOnUring : ConnectionTests
{
    protected override TestBed MakeBed() => new UringBed();

    [Fact(Skip = "About calls that this driver does not make.")]
    public override void Interrupted_calls_are_made_again()
    {
    }

    [Fact(Skip = "Nothing is registered, so nothing can be refused.")]
    public override void Only_stream_sockets_are_taken_over_and_what_is_refused_stays_the_callers()
    {
    }
}

public class ConnectionEndTestsOnUring : ConnectionEndTests
{
    protected override TestBed MakeBed() => new UringBed();

    [Fact(Skip = "What was received ahead is not unread for the kernel: the peer sees an end.")]
    public override void Closing_with_unread_data_resets_a_unix_peer_once_after_the_data()
    {
    }

    [Theory(Skip = "About calls that this driver does not make.")]
    public override void A_failed_call_is_not_made_again(string family)
    {
    }
}

public class FrameworkStreamTestsOnUring : FrameworkStreamTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class ListenerTestsOnUring : ListenerTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class SpliceTestsOnUring : SpliceTests
{
    protected override TestBed MakeBed() => new UringBed();

    [Fact(Skip = "The socket is polled anew for each wait: there is no readiness to be forgotten.")]
    public override void A_pipe_that_is_not_empty_says_nothing_about_the_socket()
    {
    }
}

public class UnixListenerTestsOnUring : UnixListenerTests
{
    protected override TestBed MakeBed() => new UringBed();

    [Theory(Skip = "Nothing is registered by a call, so nothing can be refused.")]
    public override void A_listener_that_could_not_be_made_leaves_no_path(string call)
    {
    }
}

public class VectoredWriteTestsOnUring : VectoredWriteTests
{
    protected override TestBed MakeBed() => new UringBed();

    [Theory(Skip = "About a call that this driver does not make.")]
    public override void Each_call_takes_sixty_four_buffers(string family)
    {
    }

    [Theory(Skip = "About a call that this driver does not make.")]
    public override void Several_buffers_arrive_as_one_stream_with_one_call(string family)
    {
    }
}

public class ReceivedBufferTestsOnUring : ReceivedBufferTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class FileWatcherTestsOnUring : FileWatcherTests
{
    protected override TestBed MakeBed() => new UringBed();
}

public class FileWatcherUseTestsOnUring : FileWatcherUseTests
{
    protected override TestBed MakeBed() => new UringBed();
}
