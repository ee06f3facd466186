namespace ReplicatedStore;

/// <summary>How a <see cref="StoreClient"/> works.</summary>
public sealed class StoreOptions
{
    /// <summary>How long a get or set may take. Defaults to 5 seconds.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a replica may leave a request unanswered before the connection to it is given up for another. Defaults to half a second.</summary>
    public TimeSpan Patience { get; set; } = TimeSpan.FromSeconds(0.5);

    /// <summary>How long to wait between two connections to one replica. Defaults to 100 milliseconds.</summary>
    public TimeSpan Pause { get; set; } = TimeSpan.FromSeconds(0.1);

    /// <summary>
    /// Whether a get makes sure that a majority holds what it returns. Without it gets take half the time, and it may happen that one sees a new
    /// value and a later one the old value again. Defaults to true.
    /// </summary>
    public bool WriteBack { get; set; } = true;
}
